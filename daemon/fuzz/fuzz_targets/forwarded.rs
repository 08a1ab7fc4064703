//! `Forwarded` and `X-Forwarded` headers of any content: what the client wrote, left of what the proxies add, never counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_web::fuzzing::client;
use std::net::IpAddr;

fuzz_target!(|lines: &[u8]| {
    client(lines);
    // A proxy appends what it has seen; whatever the client wrote before stays in one line.
    let written: Vec<u8> = lines.iter().copied().filter(|byte| !b"\r\n\"".contains(byte)).collect();
    let appended = [b"X-Forwarded-For: ", &written[..], b", 192.0.2.7"].concat();
    let (address, ..) = client(&appended);
    let is_header = written.iter().all(|byte| *byte == b'\t' || (32..127).contains(byte));
    if is_header {
        assert_eq!(address, IpAddr::from([192, 0, 2, 7]));
    }
});
