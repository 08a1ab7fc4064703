//! `perchd check-config`.

use crate::config::{self, Config, Sources};
use std::process::ExitCode;

/// Prints every problem, one a line.
pub(super) fn check(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(_) => {
            super::say("configuration is good\n");
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
