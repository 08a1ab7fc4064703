//! Texts of any content in the place of a password's hash, as a backup may hold them: what is not excessive says so twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_site::fuzzing::is_excessive_hash;

fuzz_target!(|text: &str| {
    if let Some(passes) = text.split("t=").nth(1).and_then(|rest| rest.split([',', '$']).next()?.parse::<u32>().ok()) {
        let sound = format!("$argon2id$v=19$m=19456,t={},p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaA", passes.max(1));
        assert_eq!(is_excessive_hash(&sound), passes > 8, "{sound}");
    }
    is_excessive_hash(text);
});
