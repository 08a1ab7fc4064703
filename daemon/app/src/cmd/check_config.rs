//! `perchd check-config`.

use super::run::certificate_files;
use crate::config::{self, Config, Sources};
use std::process::ExitCode;

/// Prints every problem, one per line.
pub(super) fn check(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(config) => {
            if let Some(words) = wrong_certificate(&config) {
                super::say(&format!("{words}\n"));
                return ExitCode::FAILURE;
            }
            super::say("the configuration is valid\n");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            super::say(&format!("{problems}\n"));
            ExitCode::FAILURE
        }
    }
}

/// What is wrong with the certificate's files, in words. The daemon runs without them all the same, and takes them up once they are right.
fn wrong_certificate(config: &Config) -> Option<String> {
    certificate_files(config)?.read().err()
}

/// Prints the documented configuration file.
pub(super) fn print_example() -> ExitCode {
    super::say(&config::example());
    ExitCode::SUCCESS
}
