//! The parameter sets of one source, and the ones in force (ITU-T H.264 §7.4.1.2.1): a slice names its PPS, and the PPS
//! its SPS.

use super::unit::VideoFormat;
use crate::h264::pps::PpsIds;
use crate::h264::sps::{Sps, SpsError};
use bytes::Bytes;
use std::sync::Arc;

/// Why a picture was dropped. The stream continues at the next entry; the counters say how often it happened.
#[derive(Debug, thiserror::Error)]
pub enum AccessUnitError {
    /// No start code, or nothing after it.
    #[error("a buffer of {0} bytes holds no H.264 NAL unit")]
    NotH264(usize),
    /// Larger than any real picture.
    #[error("a picture of {0} bytes is too large")]
    TooLarge(usize),
    /// The SPS cannot be read.
    #[error("the picture's sequence parameter set cannot be used")]
    BrokenSps(#[from] SpsError),
    /// The PPS cannot be read.
    #[error("the picture's parameter set (PPS) of {0} bytes cannot be used")]
    BrokenPps(usize),
    /// B-frames without times, and with an order of presentation that cannot be derived.
    #[error(
        "the stream has B-frames with picture order count type 1 and carries no presentation times: switch B-frames off"
    )]
    UnknownOrder,
}

/// Picture parameter sets kept; encoders use one, seldom three.
const MAX_PPS: usize = 16;
/// Sequence parameter sets kept, the newest ones. Encoders use one; some alternate between two.
const MAX_SPS: usize = 4;

/// The parameter sets received so far.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    /// Oldest first.
    sps: Vec<SequenceSet>,
    /// Oldest first.
    pps: Vec<(PpsIds, Bytes)>,
    /// `seq_parameter_set_id` and format of the previous picture.
    active: Option<(u8, Arc<VideoFormat>)>,
}

#[derive(Debug)]
struct SequenceSet {
    nal_unit: Bytes,
    sps: Sps,
    /// Made when a picture first needs it, and again when another PPS comes.
    format: Option<Arc<VideoFormat>>,
}

impl ParameterSets {
    /// Takes an SPS, which replaces the one with its id.
    pub(super) fn take_sps(&mut self, nal_unit: &[u8]) -> Result<(), AccessUnitError> {
        if self.sps.iter().any(|known| known.nal_unit == nal_unit) {
            return Ok(());
        }
        let sps = Sps::read(nal_unit)?;
        self.sps.retain(|known| known.sps.id != sps.id);
        if self.sps.len() == MAX_SPS {
            let gone = self.sps.remove(0).sps.id;
            self.pps.retain(|(ids, _)| ids.sps_id != gone);
        }
        // Copied: a slice of the source's buffer would keep the whole buffer alive as long as the format is in use.
        self.sps.push(SequenceSet { nal_unit: Bytes::copy_from_slice(nal_unit), sps, format: None });
        Ok(())
    }

    /// Takes a PPS, which replaces the one with its id. It may come before its SPS.
    pub(super) fn take_pps(&mut self, nal_unit: &[u8]) -> Result<(), AccessUnitError> {
        let ids = PpsIds::read(nal_unit).ok_or(AccessUnitError::BrokenPps(nal_unit.len()))?;
        match self.pps.iter_mut().find(|(known, _)| known.id == ids.id) {
            Some((known, known_unit)) if *known == ids && known_unit == nal_unit => return Ok(()),
            Some(place) => {
                let before = std::mem::replace(place, (ids, Bytes::copy_from_slice(nal_unit)));
                self.forget_format(before.0.sps_id);
            }
            None => {
                if self.pps.len() == MAX_PPS {
                    let gone = self.pps.remove(0);
                    self.forget_format(gone.0.sps_id);
                }
                self.pps.push((ids, Bytes::copy_from_slice(nal_unit)));
            }
        }
        self.forget_format(ids.sps_id);
        Ok(())
    }

    fn forget_format(&mut self, sps_id: u8) {
        for set in self.sps.iter_mut().filter(|set| set.sps.id == sps_id) {
            set.format = None;
        }
    }

    /// The format of the picture whose slices name `pps_id`. If its header could not be read, the newest SPS is taken,
    /// which is right for all encoders that have only one. Only a picture at which a decoder can start may change the
    /// SPS (§7.4.1.2.1): until then the format stays the same.
    pub(super) fn format(&mut self, pps_id: Option<u8>, is_entry: bool) -> Option<(Arc<VideoFormat>, &Sps)> {
        let sps_id = match pps_id {
            Some(id) => self.pps.iter().find(|(ids, _)| ids.id == id)?.0.sps_id,
            None => self.sps.last()?.sps.id,
        };
        let set = self.sps.iter_mut().find(|set| set.sps.id == sps_id)?;
        let active = self.active.take().filter(|(id, _)| *id == sps_id);
        let format = match (&set.format, active) {
            (Some(format), _) => format.clone(),
            (None, Some((_, format))) if !is_entry && format.sps != set.nal_unit => format,
            (None, _) => {
                let own = |(ids, pps): &(PpsIds, Bytes)| (ids.sps_id == sps_id).then(|| pps.clone());
                let format = Arc::new(VideoFormat::new(
                    set.nal_unit.clone(),
                    &set.sps,
                    self.pps.iter().filter_map(own).collect(),
                )?);
                set.format = Some(format.clone());
                format
            }
        };
        self.active = Some((sps_id, format.clone()));
        Some((format, &set.sps))
    }
}
