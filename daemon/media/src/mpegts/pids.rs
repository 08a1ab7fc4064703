//! The PIDs that we write.

/// The program's tables.
pub const PMT_PID: u16 = 0x1000;
/// H.264, and the program's clock (PCR).
pub const VIDEO_PID: u16 = 0x100;
/// AAC in ADTS. The PMT announces it only if there is sound: players wait for every announced stream.
pub const AUDIO_PID: u16 = 0x101;
