//! `perchd check-config`.

use crate::config::{self, Config, Sources};
use std::io::Write as _;
use std::process::ExitCode;

/// Prints every problem, one a line.
pub(super) fn check(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(_) => say("configuration is good\n", ExitCode::SUCCESS),
        Err(problems) => say(&format!("{problems}\n"), ExitCode::FAILURE),
    }
}

/// Prints the documented configuration file.
pub(super) fn print_example() -> ExitCode {
    say(&config::example(), ExitCode::SUCCESS)
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    // `perchd check-config | head` closes the pipe early; that is no failure of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}
