//! A queue's format as a plain value, and its conversion to and from the kernel's two structures (single- and multi-planar). Pure.

use super::kernel::zeroed;
use super::queue_type::QueueType;
use crate::mode::PixelFormat;
use std::fmt;
use v4l::FourCC;
use v4l::v4l_sys as sys;

/// A queue's format, as it is requested and as the driver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Pixel or coded format.
    pub fourcc: FourCC,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels; an encoder may round up the rows of its input buffer.
    pub height: u32,
    /// Bytes from one row of the first plane to the next; 0 for coded formats, or to let the driver choose.
    pub bytes_per_line: u32,
    /// Size of a buffer, in bytes; 0 lets the driver choose.
    pub size_image: u32,
    /// The rows that were taken at the same moment.
    pub field: Field,
    /// The mapping of numbers to colours.
    pub colorimetry: Colorimetry,
}

impl Format {
    /// A format of progressive pictures with everything else left to the driver.
    pub fn new(format: PixelFormat, width: u32, height: u32) -> Self {
        let fourcc = format.fourcc();
        let (field, colorimetry) = (Field::Progressive, Colorimetry::default());
        Self { fourcc, width, height, bytes_per_line: 0, size_image: 0, field, colorimetry }
    }

    /// The kernel's form of the format.
    pub(super) fn to_kernel(self, queue: QueueType) -> sys::v4l2_format {
        let mut raw = sys::v4l2_format { type_: queue.raw(), ..zeroed() };
        let colorimetry = self.colorimetry;
        if queue.multi_planar {
            // SAFETY: zeroed above, and zero is valid for the multi-planar member.
            let pix = unsafe { &mut raw.fmt.pix_mp };
            pix.width = self.width;
            pix.height = self.height;
            pix.pixelformat = self.fourcc.into();
            pix.field = self.field.raw();
            pix.num_planes = 1;
            pix.plane_fmt[0].bytesperline = self.bytes_per_line;
            pix.plane_fmt[0].sizeimage = self.size_image;
            pix.colorspace = colorimetry.colorspace;
            pix.__bindgen_anon_1.ycbcr_enc = colorimetry.encoding as u8;
            pix.quantization = colorimetry.quantization as u8;
            pix.xfer_func = colorimetry.transfer as u8;
        } else {
            // SAFETY: zeroed above, and zero is valid for the single-planar member.
            let pix = unsafe { &mut raw.fmt.pix };
            pix.width = self.width;
            pix.height = self.height;
            pix.pixelformat = self.fourcc.into();
            pix.field = self.field.raw();
            pix.bytesperline = self.bytes_per_line;
            pix.sizeimage = self.size_image;
            pix.priv_ = sys::V4L2_PIX_FMT_PRIV_MAGIC;
            pix.colorspace = colorimetry.colorspace;
            pix.__bindgen_anon_1.ycbcr_enc = colorimetry.encoding;
            pix.quantization = colorimetry.quantization;
            pix.xfer_func = colorimetry.transfer;
        }
        raw
    }

    /// Reads the kernel's answer; the error is an unsupported number of memory planes.
    pub(super) fn from_kernel(queue: QueueType, raw: &sys::v4l2_format) -> Result<Self, u8> {
        if !queue.multi_planar {
            // SAFETY: the kernel filled in the single-planar member, as the type in the request says.
            let pix = unsafe { raw.fmt.pix };
            return Ok(Self {
                fourcc: pix.pixelformat.into(),
                width: pix.width,
                height: pix.height,
                bytes_per_line: pix.bytesperline,
                size_image: pix.sizeimage,
                field: Field::from_raw(pix.field),
                colorimetry: Colorimetry {
                    colorspace: pix.colorspace,
                    // SAFETY: both members of the union are a u32.
                    encoding: unsafe { pix.__bindgen_anon_1.ycbcr_enc },
                    quantization: pix.quantization,
                    transfer: pix.xfer_func,
                },
            });
        }
        // SAFETY: the kernel filled in the multi-planar member, as the type in the request says.
        let pix = unsafe { raw.fmt.pix_mp };
        if pix.num_planes != 1 {
            return Err(pix.num_planes);
        }
        let plane = pix.plane_fmt[0]; // a copy: the structure is packed
        Ok(Self {
            fourcc: pix.pixelformat.into(),
            width: pix.width,
            height: pix.height,
            bytes_per_line: plane.bytesperline,
            size_image: plane.sizeimage,
            field: Field::from_raw(pix.field),
            colorimetry: Colorimetry {
                colorspace: pix.colorspace,
                // SAFETY: both members of the union are a u8.
                encoding: u32::from(unsafe { pix.__bindgen_anon_1.ycbcr_enc }),
                quantization: u32::from(pix.quantization),
                transfer: u32::from(pix.xfer_func),
            },
        })
    }
}

/// The moments at which the rows of a buffer were taken (Linux media userspace API, "Field Order").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// All rows at one moment (`V4L2_FIELD_NONE`).
    Progressive,
    /// Even rows at one moment, odd rows at another (`V4L2_FIELD_INTERLACED`, `…_TB`, `…_BT`).
    Interlaced,
    /// Single fields, or fields one below the other: the kernel's number.
    Other(u32),
}

impl Field {
    fn raw(self) -> u32 {
        match self {
            Self::Progressive => sys::v4l2_field_V4L2_FIELD_NONE,
            Self::Interlaced => sys::v4l2_field_V4L2_FIELD_INTERLACED,
            Self::Other(raw) => raw,
        }
    }

    fn from_raw(raw: u32) -> Self {
        match raw {
            // ANY is no valid answer; drivers that give it know no fields.
            sys::v4l2_field_V4L2_FIELD_ANY | sys::v4l2_field_V4L2_FIELD_NONE => Self::Progressive,
            sys::v4l2_field_V4L2_FIELD_INTERLACED
            | sys::v4l2_field_V4L2_FIELD_INTERLACED_TB
            | sys::v4l2_field_V4L2_FIELD_INTERLACED_BT => Self::Interlaced,
            raw => Self::Other(raw),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Progressive => f.write_str("progressive pictures"),
            Self::Interlaced => f.write_str("interlaced pictures"),
            Self::Other(sys::v4l2_field_V4L2_FIELD_ALTERNATE) => f.write_str("single fields, by turns"),
            Self::Other(sys::v4l2_field_V4L2_FIELD_TOP | sys::v4l2_field_V4L2_FIELD_BOTTOM) => {
                f.write_str("one field of each picture")
            }
            Self::Other(raw) => write!(f, "fields one below the other (V4L2 field order {raw})"),
        }
    }
}

/// The kernel's numbers for colour space, `Y'CbCr` encoding, quantization and transfer function; passed on unread, from
/// the camera to the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colorimetry {
    /// `V4L2_COLORSPACE_…`
    pub colorspace: u32,
    /// `V4L2_YCBCR_ENC_…`
    pub encoding: u32,
    /// `V4L2_QUANTIZATION_…`
    pub quantization: u32,
    /// `V4L2_XFER_FUNC_…`
    pub transfer: u32,
}

#[cfg(test)]
mod tests {
    use super::super::queue_type::Direction;
    use super::*;

    #[test]
    fn a_format_survives_the_way_through_both_structures() {
        let format = Format {
            fourcc: FourCC::new(b"NV12"),
            width: 1296,
            height: 972,
            bytes_per_line: 1312,
            size_image: 1_912_896,
            field: Field::Progressive,
            colorimetry: Colorimetry { colorspace: 3, encoding: 2, quantization: 1, transfer: 4 },
        };
        for multi_planar in [false, true] {
            let queue = QueueType { direction: Direction::Output, multi_planar };
            for field in [Field::Progressive, Field::Interlaced, Field::Other(7)] {
                let format = Format { field, ..format };
                assert_eq!(Format::from_kernel(queue, &format.to_kernel(queue)), Ok(format));
            }
        }
    }

    #[test]
    fn both_orders_of_interlacing_are_one_and_no_answer_is_progressive() {
        let fields = [0, 1, 4, 8, 9].map(Field::from_raw);
        let (progressive, interlaced) = (Field::Progressive, Field::Interlaced);
        assert_eq!(fields, [progressive, progressive, interlaced, interlaced, interlaced]);
        assert_eq!(Field::from_raw(7).to_string(), "single fields, by turns");
        assert_eq!(Field::from_raw(5).to_string(), "fields one below the other (V4L2 field order 5)");
    }
}
