//! `Authorization` headers of any content: a token is a part of the header, without the spaces around it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_web::fuzzing::bearer_token;

fuzz_target!(|header: &[u8]| {
    if let Some(token) = bearer_token(header) {
        assert_eq!(token, token.trim());
        assert!(header.windows(token.len().max(1)).any(|part| part == token.as_bytes()) || token.is_empty());
        assert_eq!(bearer_token(format!("Bearer {token}").as_bytes()), Some(token));
    }
});
