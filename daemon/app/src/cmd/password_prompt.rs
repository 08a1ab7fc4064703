//! Passwords, typed at a terminal or read from standard input.

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, Write as _, stderr, stdin};

/// Shows `prompt`, and reads a line that the terminal does not show.
pub(super) fn without_echo(prompt: &str) -> io::Result<String> {
    eprint!("{prompt}");
    stderr().flush()?;
    let before = tcgetattr(stdin())?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin(), OptionalActions::Flush, &silent)?;
    let line = read_line();
    tcsetattr(stdin(), OptionalActions::Now, &before)?;
    eprintln!();
    line
}

/// A line of standard input, without its end; empty at the end of the input.
pub(super) fn read_line() -> io::Result<String> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
