//! The messages of the software encoder OpenH264, which it writes to standard error by itself.

use openh264::encoder::Encoder;
use openh264_sys2::{ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_ERROR};
use std::ffi::{c_int, c_void};

/// Lets `encoder` write errors only. Call it before the first picture: the encoder starts with that picture, and would
/// then warn that its rate control may not skip pictures, which Perch wants. Errors also come back as results.
pub fn write_errors_only(encoder: &mut Encoder) {
    let mut level: c_int = WELS_LOG_ERROR;
    // SAFETY: the encoder is valid as long as the borrow, and it may be told the trace level at any time, also before it starts
    // (CWelsH264SVCEncoder::SetOption). It reads an int behind the pointer during the call and keeps neither. Nothing else relies on the level.
    let _ = unsafe {
        encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast::<c_void>())
    };
}
