//! A line that somebody sends to a chat: refused in words or taken, and never more than JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_web::fuzzing::is_chat_line;

fuzz_target!(|text: &str| {
    if is_chat_line(text) {
        assert!(text.trim_start().starts_with('{') && text.trim_end().ends_with('}'));
    }
});
