//! The command line (design §3): parses the flags and dispatches to a file for each command. `anyhow` is used only here and in
//! the commands: an error is printed once, with its whole chain, and becomes an exit code.

mod backup;
mod check_config;
mod console;
#[cfg(test)]
mod manual;
mod owner;
mod password_prompt;
mod probe;
mod recordings;
mod registration;
mod run;
mod setup_code;
mod user;

#[cfg(test)]
pub(crate) use manual::manual;

use crate::config::{Config, FlagValue, Sources};
use crate::system::log;
use clap::Parser;
use perch_site::picture::apart;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// `EX_CONFIG` of sysexits.h: flags or configuration are wrong. The unit file tells systemd not to restart on it.
const EXIT_CONFIG: u8 = 78;

/// A camera's picture in every browser of the LAN.
#[derive(Debug, Parser)]
#[command(name = "perchd", version, about)]
struct Cli {
    /// Configuration file [default: /etc/perch/perch.toml, which may be missing]
    #[arg(long, global = true, value_name = "FILE", env = "PERCH_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the daemon (the default without a command)
    Run,
    /// Check the configuration and print every problem with its line; exit 1 if there is any
    CheckConfig {
        /// Print a configuration file with every key, its meaning and its default, without checking anything
        #[arg(long)]
        example: bool,
    },
    /// List cameras, encoders and GPIO chips, what each configured camera would use, and why not something else
    Probe {
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Print the first-run code, until there is an owner
    SetupCode,
    /// Create, change and list accounts
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Print who may register, or set it
    Registration {
        /// Who may register from now on
        who: Option<registration::Who>,
    },
    /// List recordings, check their files, and rebuild their indexes
    Recordings {
        #[command(subcommand)]
        command: recordings::RecordingsCommand,
    },
    /// Write a backup of the store; works while the daemon runs
    Export {
        /// The file to create
        file: PathBuf,
    },
    /// Restore a backup into a store without accounts; not while the daemon runs. Asks for the password of its stream keys
    Import {
        /// A backup from `export` or from the page
        file: PathBuf,
    },
    /// Print the `OpenAPI` document of the HTTP interface
    Openapi,
}

/// The command line, for generated files.
#[cfg(test)]
pub(crate) fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Parses the command line and runs the command.
pub(crate) fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    // perchd starts itself so, for each uploaded picture; nobody types it.
    if arguments.next().as_deref() == Some(apart::ARGUMENT) {
        return apart::serve(arguments.next().as_deref());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // If the terminal is gone, nobody can be informed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::SUCCESS };
        }
    };
    let sources = cli.sources();
    match cli.command.unwrap_or(Command::Run) {
        Command::CheckConfig { example: true } => check_config::print_example(),
        Command::CheckConfig { example: false } => check_config::check(&sources),
        Command::Probe { json } => exit_code(with_config(&sources, |config| Ok(probe::print(config, json)?))),
        Command::SetupCode => exit_code(in_data_dir(&sources, setup_code::print)),
        Command::User { command } => exit_code(in_data_dir(&sources, |config| user::run(config, &command))),
        Command::Registration { who } => {
            exit_code(in_data_dir(&sources, |config| registration::run(config, who)))
        }
        Command::Recordings { command } => {
            exit_code(in_data_dir(&sources, |config| recordings::run(config, &command)))
        }
        Command::Export { file } => {
            exit_code(with_config(&sources, |config| Ok(backup::export(config, &file)?)))
        }
        Command::Import { file } => {
            exit_code(with_config(&sources, |config| Ok(backup::import(config, &file)?)))
        }
        Command::Openapi => {
            say(&perch_web::openapi_text());
            ExitCode::SUCCESS
        }
        Command::Run => exit_code(with_config(&sources, run::run)),
    }
}

impl Cli {
    fn sources(&self) -> Sources {
        let mut flags = Vec::new();
        if let Some(dir) = &self.data_dir {
            flags.push(FlagValue { flag: "--data-dir", key: "server.data_dir", values: vec![dir.clone()] });
        }
        if !self.listen.is_empty() {
            flags.push(FlagValue { flag: "--listen", key: "server.listen", values: self.listen.clone() });
        }
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("PERCH_"))
            .collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

/// The kinds of failure of a command.
enum CommandError {
    /// Flags, environment or configuration are wrong.
    Config(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Runs a command with a checked configuration.
fn with_config(
    sources: &Sources,
    command: impl FnOnce(&Config) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    command(&Config::load(sources).map_err(|problems| CommandError::Config(problems.into()))?)
}

/// Runs a command that works in the data directory, with the rights of its owner.
fn in_data_dir(
    sources: &Sources,
    command: impl FnOnce(&Config) -> anyhow::Result<()>,
) -> Result<(), CommandError> {
    with_config(sources, |config| {
        owner::become_owner_of(&config.server.data_dir)?;
        Ok(command(config)?)
    })
}

/// Writes to standard output.
fn say(text: &str) {
    // `perchd probe | head` closes the pipe early, which is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints the error once, with its whole chain.
fn exit_code(result: Result<(), CommandError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Config(error)) => {
            log::complain(&format!("perchd: the configuration cannot be used\n{error:#}"));
            ExitCode::from(EXIT_CONFIG)
        }
        Err(CommandError::Other(error)) => {
            log::complain(&format!("perchd: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        for line in [
            ["perchd", "--listen", "[::]:1", "--listen", "[::]:2", "run"],
            ["perchd", "run", "--listen", "[::]:1", "--listen", "[::]:2"],
        ] {
            let sources = Cli::try_parse_from(line).unwrap().sources();
            assert_eq!(sources.flags[0].values, ["[::]:1", "[::]:2"]);
        }
    }
}
