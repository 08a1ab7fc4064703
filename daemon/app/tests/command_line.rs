//! The command line of the real binary: what it says and its exit codes (design §3).
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

/// `EX_CONFIG` of sysexits.h
const EXIT_CONFIG: Option<i32> = Some(78);

fn perchd(args: &[&str]) -> Output {
    perchd_with(args, &[])
}

fn perchd_with(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perchd"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PERCH_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(args).envs(environment.iter().copied()).output().unwrap()
}

fn error_of(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text_of(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn write(dir: &Path, text: &str) -> String {
    let file = dir.join("perch.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

const THREE_MISTAKES: &str =
    "[server]\nlisten = 8080\n\n[live]\nsegment_secnds = 2\n\n[[camera]]\nencoder = \"hardware\"\n";

#[test]
fn check_config_prints_every_mistake_with_its_line_and_ends_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), THREE_MISTAKES);
    let output = perchd(&["check-config", "--config", &file]);
    assert_eq!(output.status.code(), Some(1));
    let text = text_of(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with(&format!("{file}:2: server.listen: must be a list")), "{text}");
    assert!(lines[1].ends_with(":5: live.segment_secnds: unknown key; did you mean \"segment_seconds\"?"));
    assert!(lines[2].contains(":8: camera.encoder: must be one of \"auto\", \"v4l2-m2m\""), "{text}");
}

#[test]
fn a_good_configuration_passes() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../systemd/perch.toml");
    let file = write(dir.path(), "[live]\nautostart = true\n");
    for file in [shipped, &file] {
        let output = perchd(&["check-config", "--config", file]);
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    }
}

#[test]
fn the_daemon_and_every_command_end_with_78_on_bad_configuration_or_flags() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), THREE_MISTAKES);
    for command in [&["run"][..], &["probe"], &[]] {
        let output = perchd(&[&["--config", &file], command].concat());
        assert_eq!(output.status.code(), EXIT_CONFIG);
        assert_eq!(error_of(&output).lines().filter(|line| line.contains("perch.toml:")).count(), 3);
    }
    for wrong in [&["--lisen", "[::]:1"][..], &["fly"], &["--listen", "8080"], &["--config", "/no/such/file"]]
    {
        let output = perchd(wrong);
        assert_eq!(output.status.code(), EXIT_CONFIG, "{wrong:?}: {}", error_of(&output));
        assert!(!output.stderr.is_empty());
    }
    let output = perchd_with(&["run"], &[("PERCH_LIVE_WINDOW_SECONDS", "long"), ("PERCH_LOG", "a=b=c")]);
    assert_eq!(output.status.code(), EXIT_CONFIG);
    assert!(error_of(&output).contains("PERCH_LIVE_WINDOW_SECONDS"), "{}", error_of(&output));
    let output = perchd_with(&["run"], &[("PERCH_LOG", "a=b=c")]);
    assert_eq!(output.status.code(), EXIT_CONFIG);
    assert!(error_of(&output).contains("PERCH_LOG"), "{}", error_of(&output));
}

#[test]
fn help_and_version_are_no_mistakes() {
    for flag in ["--help", "--version"] {
        let output = perchd(&[flag]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text_of(&output).contains("perchd"));
    }
}

#[test]
fn a_port_in_use_is_told_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let output = perchd(&["--listen", &address, "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let error = error_of(&output);
    assert!(error.contains(&address) && error.contains("in use") && error.contains("--listen"), "{error}");
}

#[test]
fn a_data_directory_that_cannot_be_is_told_in_words() {
    let output = perchd(&["--data-dir", "/dev/null/perch"]);
    assert_eq!(output.status.code(), Some(1));
    let error = error_of(&output);
    assert!(error.contains("/dev/null/perch") && error.contains("--data-dir"), "{error}");
}

#[test]
fn a_store_that_is_no_store_is_kept_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("perch.redb");
    std::fs::write(&store, "my notes").unwrap();
    let output = perchd(&["--listen", "127.0.0.1:0", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error_of(&output).contains("perch.redb is damaged or not a Perch store"),
        "{}",
        error_of(&output)
    );
    assert_eq!(std::fs::read_to_string(&store).unwrap(), "my notes");
}

#[test]
fn probe_says_what_would_run_to_people_and_to_programs() {
    let pattern = [("PERCH_CAMERA_SOURCE", "test-pattern"), ("PERCH_CAMERA_ENCODER", "software")];
    let output = perchd_with(&["probe"], &pattern);
    assert_eq!(output.status.code(), Some(0));
    let text = text_of(&output);
    assert!(text.contains("Camera \"front\" would run with the test pattern, coded in software"), "{text}");
    let output = perchd_with(&["probe", "--json"], &pattern);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["configured"][0]["source"], "test-pattern");
    assert!(json["cameras"].is_array() && json["encoders"].is_array());
}

#[test]
fn one_address_twice_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    for (listen, twice) in [
        (r#"["127.0.0.1:8080", "127.0.0.1:8080"]"#, "127.0.0.1:8080"),
        (r#"["127.0.0.1:8081", "[::1]:8080", "127.0.0.1:8080", "[::]:8080"]"#, "[::]:8080"),
        (r#"["0.0.0.0:8080", "192.0.2.7:8080"]"#, "192.0.2.7:8080"),
    ] {
        let file = write(dir.path(), &format!("[live]\nautostart = true\n[server]\nlisten = {listen}\n"));
        let output = perchd(&["check-config", "--config", &file]);
        let text = text_of(&output);
        assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.starts_with(&format!("{file}:4: server.listen: ")) && text.contains(twice), "{text}");
    }
    let apart = [
        r#"["127.0.0.1:8080", "[::1]:8080"]"#,
        r#"["[::]:8080", "127.0.0.1:8080"]"#,
        r#"["127.0.0.1:0", "127.0.0.1:0"]"#,
    ];
    for listen in apart {
        let file = write(dir.path(), &format!("[server]\nlisten = {listen}\n"));
        assert_eq!(perchd(&["check-config", "--config", &file]).status.code(), Some(0), "{listen}");
    }
}
