//! The log's destination: the journal, with priorities and fields, if systemd reads our standard error; else lines on standard
//! error. `PERCH_LOG` or `RUST_LOG` (targets and levels, such as `info,perch_studio::hls=debug`) select what is logged, else
//! `[log] level`.

use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable's text is not a list of directives.
    #[error(
        "{variable}: must be a level or directives such as info,perch_studio::hls=debug, found \"{found}\""
    )]
    Directives {
        /// The variable's name.
        variable: &'static str,
        /// The variable's text.
        found: String,
        /// The parser's error.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A logger is already installed.
    #[error("the log is already set up")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log; panics are logged, too.
pub fn start(level: tracing::Level) -> Result<(), LogError> {
    let registry = tracing_subscriber::registry().with(filter(level, |name| std::env::var(name).ok())?);
    let journal = journal_reads_stderr().then(tracing_journald::layer).and_then(Result::ok);
    if let Some(journal) = journal {
        registry.with(journal).try_init()?;
    } else {
        let terminal = std::io::stderr().is_terminal();
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(terminal);
        registry.with(lines).try_init()?;
    }
    // A panic ends its thread or task, and whoever waits for that decides the consequences. Here it is only logged.
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "a bug in Perch, please report it: {message}");
    }));
    Ok(())
}

/// Filters by target and level only: filters on spans and fields would need a regular expression engine.
fn filter(level: tracing::Level, variable: impl Fn(&str) -> Option<String>) -> Result<Targets, LogError> {
    for name in ["PERCH_LOG", "RUST_LOG"] {
        if let Some(found) = variable(name).filter(|text| !text.is_empty()) {
            return found.parse().map_err(|source| LogError::Directives { variable: name, found, source });
        }
    }
    Ok(Targets::new().with_default(level))
}

/// Prints why a command failed on standard error. In the journal it is marked as an error: it takes unmarked lines as information
/// (`sd-daemon(3)`).
pub fn complain(text: &str) {
    eprintln!("{}", complaint(text, journal_reads_stderr()));
}

fn complaint(text: &str, to_journal: bool) -> String {
    if to_journal {
        text.lines().map(|line| format!("<3>{line}")).collect::<Vec<_>>().join("\n")
    } else {
        text.to_owned()
    }
}

/// `JOURNAL_STREAM` has the device and inode of the journal's end of our standard error (systemd.exec(5)). They are compared,
/// because a child may inherit the variable and write elsewhere.
fn journal_reads_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(actual) = std::fs::metadata("/proc/self/fd/2") else { return false };
    named == format!("{}:{}", actual.dev(), actual.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn every_line_of_a_complaint_is_an_error_to_the_journal() {
        assert_eq!(complaint("two\nmistakes", true), "<3>two\n<3>mistakes");
        assert_eq!(complaint("two\nmistakes", false), "two\nmistakes");
    }

    #[test]
    fn the_variables_go_before_the_configured_level() {
        let of = |perch: Option<&str>, rust: Option<&str>| {
            let variable = |name: &str| {
                match name {
                    "PERCH_LOG" => perch,
                    _ => rust,
                }
                .map(ToOwned::to_owned)
            };
            filter(Level::WARN, variable).map(|filter| filter.to_string())
        };
        assert_eq!(of(None, None).unwrap(), "warn");
        assert_eq!(of(Some(""), Some("debug")).unwrap(), "debug");
        assert_eq!(of(Some("perchd=trace"), Some("debug")).unwrap(), "perchd=trace");
        let error = of(Some("perchd=loud"), None).unwrap_err().to_string();
        assert!(error.contains("PERCH_LOG") && error.contains("perchd=loud"), "{error}");
    }
}
