//! A site is carried over into another place by `perchd export` and `perchd import`.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::Daemon;
use support::people::{NO_LIMITS, PASSWORD, Person};

fn perchd(dir: &Path, command: &str, file: &Path) -> Output {
    let config = dir.join("perch.toml");
    if !config.exists() {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(&config, NO_LIMITS).unwrap();
    }
    let mut perchd = Command::new(env!("CARGO_BIN_EXE_perchd"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PERCH_")) {
        perchd.env_remove(name);
    }
    perchd
        .arg("--config")
        .arg(config)
        .arg("--data-dir")
        .arg(dir.join("data"))
        .arg(command)
        .arg(file)
        .output()
        .unwrap()
}

/// What it says when it does not do it.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_backup_of_a_running_site_becomes_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let file = dir.path().join("perch.backup");
    std::fs::create_dir(&old).unwrap();
    let daemon = Daemon::start_in(&old, NO_LIMITS);
    let ann = Person::owner(&daemon, "ann");
    let ben = Person::register(&daemon, "ben");
    ben.put("/api/v1/users/ann/follow", &json!({}));
    ann.patch("/api/v1/settings", &json!({"site_name": "The Nest"}));

    let exported = perchd(&old, "export", &file);
    assert!(exported.status.success(), "{exported:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(refused(&perchd(&old, "export", &file)).contains("already exists"));
    let backup = std::fs::read(&file).unwrap();
    // After the backup, so not in it.
    Person::register(&daemon, "late");

    let imported = perchd(&new, "import", &file);
    assert!(imported.status.success(), "{imported:?}");
    assert!(String::from_utf8(imported.stdout).unwrap().starts_with("The Nest is restored."));
    assert_eq!(std::fs::read(&file).unwrap(), backup, "a backup is only read");
    let carried = Daemon::start_in(&new, NO_LIMITS);
    assert_eq!(carried.get("/api/v1/settings").json()["needs_setup"], false);
    assert!(!carried.data_dir.join("setup-code").exists());
    assert_eq!(carried.get("/api/v1/users/late").status, 404);
    let token = ben.token.clone();
    let old_login = Person { daemon: &carried, token };
    assert_eq!(old_login.get("/api/v1/me").code(), "unauthenticated", "logins are not carried over");
    let ben = Person::login(&carried, "ben");
    assert_eq!(ben.get("/api/v1/users/ann").json()["is_following"], true);
}

/// Gives `perchd import` a line of standard input.
fn import_typing(dir: &Path, file: &Path, line: &str) -> Output {
    let mut perchd = Command::new(env!("CARGO_BIN_EXE_perchd"))
        .args(["--data-dir".as_ref(), dir.as_os_str(), "import".as_ref(), file.as_os_str()])
        .env("PERCH_CONFIG", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    perchd.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    perchd.wait_with_output().unwrap()
}

#[test]
fn stream_keys_are_imported_with_the_password_of_the_owner_who_sealed_them() {
    let dir = tempfile::tempdir().unwrap();
    let old = Daemon::start(NO_LIMITS);
    let ann = Person::owner(&old, "ann");
    let relay = json!({"name": "a", "url": "rtmp://127.0.0.1/live", "key": "SECRET"});
    assert_eq!(ann.post("/api/v1/relays", &relay).status, 201);
    let backup = ann.post("/api/v1/backup", &json!({"password": PASSWORD, "seal_keys": true}));
    assert_eq!(backup.status, 200, "{}", backup.text());
    let file = dir.path().join("perch.backup");
    std::fs::write(&file, &backup.body).unwrap();

    let why = refused(&import_typing(&dir.path().join("wrong"), &file, "another horse\n"));
    assert!(why.contains("not the password") && !why.contains("another horse"), "{why}");
    for (name, typed, said, has_key) in [
        ("right", format!("{PASSWORD}\n"), "Its stream keys are restored.", true),
        ("empty", "\n".to_owned(), "Its stream keys were left out.", false),
    ] {
        let data = dir.path().join(name);
        let imported = import_typing(&data, &file, &typed);
        assert!(imported.status.success(), "{imported:?}");
        assert!(String::from_utf8(imported.stdout).unwrap().contains(said));
        let store = perch_store::Store::open(&data.join("perch.redb")).unwrap();
        assert_eq!(store.relays().unwrap()[0].key.is_some(), has_key);
    }
}

#[test]
fn an_import_that_cannot_be_says_why_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("site");
    let file = dir.path().join("perch.backup");
    std::fs::create_dir(&site).unwrap();
    let daemon = Daemon::start_in(&site, NO_LIMITS);
    Person::owner(&daemon, "ann");
    assert!(perchd(&site, "export", &file).status.success());
    let running = refused(&perchd(&site, "import", &file));
    assert!(running.contains("another perchd runs with this data directory"), "{running}");
    assert_eq!(daemon.stop(), Some(0));
    let taken = refused(&perchd(&site, "import", &file));
    assert!(taken.contains("already has accounts") && taken.contains("--data-dir"), "{taken}");

    let empty = dir.path().join("empty");
    let broken = dir.path().join("broken.backup");
    std::fs::write(&broken, &std::fs::read(&file).unwrap()[..5000]).unwrap();
    for (wrong, said) in [(&broken, "is damaged"), (&dir.path().join("none"), "none")] {
        let why = refused(&perchd(&empty, "import", wrong));
        assert!(why.contains(said), "{why}");
    }
    let nowhere = refused(&perchd(&empty, "export", &dir.path().join("x")));
    assert!(nowhere.contains("perch.redb"), "{nowhere}");
    assert!(perchd(&empty, "import", &file).status.success(), "what was refused left nothing behind");
    let daemon = Daemon::start_in(&site, NO_LIMITS);
    Person::login(&daemon, "ann");
}
