//! Schemathesis makes requests of all kinds out of the API's document, and finds what the document does not tell of: answers that are not declared or
//! do not fit their schema, failures of ours, what is accepted though it should not be. `make schemathesis` gives it more time.
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::path::Path;
use std::process::Command;
use support::Daemon;
use support::people::{NO_LIMITS, Person};

const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 5
"#;

/// These last until somebody ends them.
const ENDLESS: &str = "/api/v1/(me/events|streams/[^/]+/chat(/events)?|cameras/[^/]+/preview)$";

/// Whether what fits the document is accepted is not asked: names that look alike or streams that are over no schema can tell.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,negative_data_rejection,ignored_auth,use_after_free,unsupported_method";

#[test]
fn the_api_keeps_to_its_document() {
    let seconds = std::env::var("PERCH_SCHEMATHESIS_SECONDS").unwrap_or_else(|_| "60".to_owned());
    // A machine that takes updates.
    let dir = tempfile::tempdir().unwrap();
    for name in ["perch", "perch-update"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    let run = dir.path().join("perch");
    let environment = [("RUNTIME_DIRECTORY", run.to_str().unwrap())];
    let daemon = Daemon::start_with(dir.path(), &format!("{CAMERA}{NO_LIMITS}"), &environment);
    Person::owner(&daemon, "olga");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tool = root.join("../../.venv/bin/schemathesis");
    let here = root.join("tests/schemathesis");
    let work = tempfile::tempdir().unwrap();
    let run = Command::new(&tool)
        .args(["run", &daemon.url("/api/v1/openapi.json"), "--checks", CHECKS, "--max-time", &seconds])
        .args(["--exclude-path-regex", ENDLESS, "--request-timeout", "20", "--no-color", "--warnings", "off"])
        .args(["--continue-on-failure", "--max-examples", "1000"])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", &here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PERCH_HOST", daemon.address.to_string())
        .env("PERCH_CONSOLE", daemon.data_dir.join("control.sock"))
        .current_dir(work.path())
        .output();
    let run = run.unwrap_or_else(|error| {
        panic!("{}: {error}; `make test` installs what the tests need", tool.display())
    });
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    // It did reach the site.
    assert!(said.contains("Tested:") && !said.contains("Tested: 0"), "{said}");
    assert_eq!(daemon.get("/healthz").status, 200);
}
