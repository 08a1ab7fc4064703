//! `perchd check-config`.

use crate::config::{self, Config, Sources};
use std::process::ExitCode;

/// Prints every problem, one per line.
pub(super) fn check(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(_) => {
            super::say("the configuration is valid\n");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            super::say(&format!("{problems}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the documented configuration file.
pub(super) fn print_example() -> ExitCode {
    super::say(&config::example());
    ExitCode::SUCCESS
}
