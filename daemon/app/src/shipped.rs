//! Generated files of the packages: manual pages and shell completions. These tests check that
//! the repository's files are up to date, and that the tests that docs/security.md names exist; `WRITE_SHIPPED=1 cargo test --package perchd shipped` writes them again.

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

#[test]
fn the_tests_that_security_md_names_exist() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let text = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let quoted: Vec<_> = text.split('`').skip(1).step_by(2).collect();
    let files = quoted.iter().filter(|name| name.contains(".rs::") || name.contains(".py::"));
    let mut count = 0;
    for (file, test) in files.filter_map(|name| name.split_once("::")) {
        let file = if file.starts_with("image/") { file.to_owned() } else { format!("daemon/{file}") };
        let source =
            std::fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            ["fn ", "def "].iter().any(|word| source.contains(&format!("{word}{test}("))),
            "{file} has no {test}"
        );
        count += 1;
    }
    for scenario in quoted.iter().filter(|name| name.starts_with("lab/scenarios/")) {
        assert!(root.join("daemon").join(scenario).exists(), "{scenario} is missing");
    }
    assert!(count > 20, "only {count} tests are named");
}
