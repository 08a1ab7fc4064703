//! `perchd setup-code`: the first-run code, alone on standard output, while there is no owner yet.

use super::say;
use crate::config::Config;
use anyhow::bail;
use perch_site::accounts::setup_code;

pub(super) fn print(config: &Config) -> anyhow::Result<()> {
    let path = config.server.data_dir.join(setup_code::FILE);
    match setup_code::read(&path) {
        Some(code) => say(&format!("{code}\n")),
        None => bail!(
            "no setup code in {}: Perch has an owner already, or has not run yet, or you may not read it",
            path.display()
        ),
    }
    Ok(())
}
