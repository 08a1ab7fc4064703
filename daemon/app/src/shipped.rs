//! Generated files of the packages: manual pages and shell completions. These tests check that
//! the repository's files are up to date; `WRITE_SHIPPED=1 cargo test --package perchd shipped` writes them again.

use crate::{cmd, config};
use clap_complete::Shell;
use std::path::Path;

fn held(file: &str, made: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(file);
    if std::env::var_os("WRITE_SHIPPED").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shipped == made,
        "docs/{file} is out of date; run: WRITE_SHIPPED=1 cargo test --package perchd shipped"
    );
}

#[test]
fn the_manual_is_the_command_lines() {
    held("perchd.1", &cmd::manual());
}

#[test]
fn the_configurations_manual_is_the_schemas() {
    held("perch.toml.5", &config::manual());
}

#[test]
fn the_completions_are_the_command_lines() {
    for (shell, file) in
        [(Shell::Bash, "perchd.bash"), (Shell::Zsh, "perchd.zsh"), (Shell::Fish, "perchd.fish")]
    {
        let mut made = Vec::new();
        clap_complete::generate(shell, &mut cmd::command(), "perchd", &mut made);
        held(&format!("completions/{file}"), &String::from_utf8(made).unwrap());
    }
}
