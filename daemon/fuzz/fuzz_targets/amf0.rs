//! AMF0 of any content: what is read can be written, and is the same when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_media::flv::amf0;

fuzz_target!(|input: &[u8]| {
    let Ok(values) = amf0::read(input) else { return };
    let written = amf0::write(&values);
    let again = amf0::read(&written).expect("what is written can be read");
    // A number that is none equals nothing, so the bytes are compared.
    assert_eq!(amf0::write(&again), written);
});
