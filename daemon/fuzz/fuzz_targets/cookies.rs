//! Cookies of any content: a value is a part of a line, and the viewer's is a number that reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_web::fuzzing::cookies;

fuzz_target!(|input: (bool, &[u8])| {
    let (secure, lines) = input;
    let (access, _, viewer) = cookies(lines, secure);
    let prefix = if secure { "__Secure-" } else { "" };
    if let Some(access) = access {
        assert!(!access.contains([';', '\n']));
        let whole = format!("{prefix}perch_access={access}");
        assert_eq!(cookies(whole.as_bytes(), secure).0, Some(access));
    }
    if let Some(viewer) = viewer {
        let whole = format!("a=b; {prefix}perch_viewer={viewer:032x}");
        assert_eq!(cookies(whole.as_bytes(), secure).2, Some(viewer));
    }
});
