//! Reads an SPS as if it had no VUI (ITU-T H.264 Annex E): encoders get that part wrong more than any other, and a
//! picture can be decoded without it.

use h264_reader::rbsp::{BitRead, BitReaderError, Integer, Primitive};

/// Passes everything through except the flag that announces a VUI and everything after it.
pub(super) struct WithoutVui<R>(pub(super) R);

impl<R: BitRead> BitRead for WithoutVui<R> {
    fn read_bit(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        let bit = self.0.read_bit(name)?;
        Ok(bit && name != "vui_parameters_present_flag")
    }

    fn finish_rbsp(self) -> Result<(), BitReaderError> {
        Ok(()) // the VUI was left unread
    }

    fn read_ue(&mut self, name: &'static str) -> Result<u32, BitReaderError> {
        self.0.read_ue(name)
    }

    fn read_se(&mut self, name: &'static str) -> Result<i32, BitReaderError> {
        self.0.read_se(name)
    }

    fn read<const BITS: u32, I: Integer>(&mut self, name: &'static str) -> Result<I, BitReaderError> {
        self.0.read::<BITS, I>(name)
    }

    fn read_var<I: Integer>(&mut self, bit_count: u32, name: &'static str) -> Result<I, BitReaderError> {
        self.0.read_var(bit_count, name)
    }

    fn read_to<V: Primitive>(&mut self, name: &'static str) -> Result<V, BitReaderError> {
        self.0.read_to(name)
    }

    fn skip(&mut self, bit_count: u32, name: &'static str) -> Result<(), BitReaderError> {
        self.0.skip(bit_count, name)
    }

    fn byte_aligned(&self) -> bool {
        self.0.byte_aligned()
    }

    fn has_more_rbsp_data(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.0.has_more_rbsp_data(name)
    }

    fn finish_sei_payload(self) -> Result<(), BitReaderError> {
        self.0.finish_sei_payload()
    }
}
