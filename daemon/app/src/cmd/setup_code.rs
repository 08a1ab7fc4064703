//! `perchd setup-code`: prints the first-run code on standard output, until there is an owner.

use super::say;
use crate::config::Config;
use anyhow::bail;
use perch_site::accounts::setup_code;

pub(super) fn print(config: &Config) -> anyhow::Result<()> {
    let path = config.server.data_dir.join(setup_code::FILE);
    match setup_code::read(&path) {
        Some(code) => say(&format!("{code}\n")),
        None => bail!(
            "no setup code in {}: Perch already has an owner, or has not run yet, or you may not read the folder",
            path.display()
        ),
    }
    Ok(())
}
