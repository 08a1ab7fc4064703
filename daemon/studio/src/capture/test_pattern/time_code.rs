//! A time code in the picture: the time of the frame, for machines, in black and white blocks that survive any codec.
//!
//! Layout (for decoders elsewhere, such as `webui/timecode.js`). Let W be the width of the picture and c = W / 40 (not
//! rounded) the side of a square cell. The code is 2 rows of 32 cells. Cell i (row i / 32, column i % 32) covers
//!
//! ```text
//! x from (4 + i % 32) * c  to (5 + i % 32) * c       (from the left edge)
//! y from (1 + i / 32) * c  to (2 + i / 32) * c       (from the top edge)
//! ```
//!
//! each rounded to the nearest pixel. White (luma 235) is 1, black (luma 16) is 0. The 64 bits, first cell first, are:
//!
//! ```text
//! 8   marker 1010 0101; it also calibrates: threshold = middle between its mean white and its mean black
//! 48  milliseconds since the Unix epoch, most significant bit first
//! 8   CRC-8 (polynomial x^8 + x^2 + x + 1, initial value 0, not reflected) of the 6 bytes of milliseconds
//! ```
//!
//! Read a cell by the mean luma of its inner half. Everything is relative to W, so a uniformly scaled picture reads the
//! same. At 320, 640, 1280 and 1920 pixels of width the cells lie on 8- or 16-pixel blocks.

/// Cells in a row.
const COLUMNS: usize = 32;
/// Cells in all.
const CELLS: usize = 64;
/// Cells over the width of the picture.
const CELLS_ACROSS: usize = 40;
/// Cells left of the code.
const LEFT: usize = 4;
/// Cells above the code.
const TOP: usize = 1;
/// Cells from the top of the picture to below the code, with as much margin below as above.
pub(super) const CELLS_DOWN: usize = 4;
const MARKER: u64 = 0b1010_0101;
const WHITE: u8 = 235;
const BLACK: u8 = 16;

/// The edge after `cells` cells, in pixels.
pub(super) fn edge(width: usize, cells: usize) -> usize {
    (cells * width + CELLS_ACROSS / 2) / CELLS_ACROSS
}

/// Draws the code for `unix_milliseconds` (its low 48 bits) into a luma plane of rows `width` bytes apart. A picture
/// that is too small stays unchanged.
pub(super) fn draw(luma: &mut [u8], width: usize, unix_milliseconds: u64) {
    let code = encode(unix_milliseconds);
    if width < CELLS_ACROSS || luma.len() < width * edge(width, CELLS_DOWN) {
        return;
    }
    for row in 0..CELLS / COLUMNS {
        let top = edge(width, TOP + row);
        let (first, following) = luma[top * width..edge(width, TOP + row + 1) * width].split_at_mut(width);
        for column in 0..COLUMNS {
            let bit = code >> (CELLS - 1 - (row * COLUMNS + column)) & 1;
            first[edge(width, LEFT + column)..edge(width, LEFT + column + 1)].fill(if bit == 1 {
                WHITE
            } else {
                BLACK
            });
        }
        let span = edge(width, LEFT)..edge(width, LEFT + COLUMNS);
        for line in following.chunks_exact_mut(width) {
            line[span.clone()].copy_from_slice(&first[span.clone()]);
        }
    }
}

fn encode(unix_milliseconds: u64) -> u64 {
    let time = unix_milliseconds & 0xFFFF_FFFF_FFFF;
    MARKER << 56 | time << 8 | u64::from(crc8(time))
}

fn crc8(time: u64) -> u8 {
    time.to_be_bytes()[2..].iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// Reads the code: milliseconds since the Unix epoch, or `None` when there is none or it is damaged. The page does the
/// same in JavaScript.
#[cfg(test)]
pub(super) fn read(luma: &[u8], stride: usize, width: usize) -> Option<u64> {
    let mut levels = [0_u32; CELLS];
    for (i, level) in levels.iter_mut().enumerate() {
        let (left, right) = (edge(width, LEFT + i % COLUMNS), edge(width, LEFT + i % COLUMNS + 1));
        let (top, bottom) = (edge(width, TOP + i / COLUMNS), edge(width, TOP + i / COLUMNS + 1));
        let (inset_x, inset_y) = ((right - left) / 4, (bottom - top) / 4);
        let (mut sum, mut samples) = (0, 0);
        for y in top + inset_y..bottom - inset_y {
            for &sample in luma.get(y * stride + left + inset_x..y * stride + right - inset_x)? {
                sum += u32::from(sample);
                samples += 1;
            }
        }
        *level = sum.checked_div(samples)?;
    }
    let mean_of_marker = |bit: u64| {
        let of_bit = (0..8).filter(|i| MARKER >> (7 - i) & 1 == bit).map(|i| levels[i]);
        of_bit.sum::<u32>() / 4
    };
    let (white, black) = (mean_of_marker(1), mean_of_marker(0));
    if white < black + 32 {
        return None; // no contrast: no code
    }
    let threshold = u32::midpoint(white, black);
    let code = levels.iter().fold(0_u64, |code, &level| code << 1 | u64::from(level > threshold));
    let time = code >> 8 & 0xFFFF_FFFF_FFFF;
    (encode(time) == code).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(width: usize, time: u64) -> Vec<u8> {
        let mut luma = vec![16; width * width / 2];
        draw(&mut luma, width, time);
        luma
    }

    #[test]
    fn layout_is_as_documented() {
        assert_eq!(crc8(0x3132_3334_3536), 0xFD, "CRC-8/SMBUS of \"123456\"");
        let luma = picture(640, 1);
        let cell = |column: usize, row: usize| luma[(16 + row * 16 + 8) * 640 + 64 + column * 16 + 8];
        let marker: Vec<_> = (0..8).map(|column| cell(column, 0)).collect();
        assert_eq!(marker, [235, 16, 235, 16, 16, 235, 16, 235]);
        assert_eq!(cell(23, 1), 235, "lowest bit of the time");
        assert_eq!(cell(22, 1), 16);
        assert_eq!(
            (24..32).map(|column| cell(column, 1) > 128).fold(0, |crc, bit| crc << 1 | u8::from(bit)),
            7
        );
    }

    proptest! {
        #[test]
        fn reads_back_at_any_size(width in 160_usize..2000, time in 0_u64..1 << 48) {
            prop_assert_eq!(read(&picture(width, time), width, width), Some(time));
        }

        #[test]
        fn survives_noise_and_another_contrast(
            time in 0_u64..1 << 48,
            seed in any::<u32>(),
            brightness in -10_i32..40,
        ) {
            let mut luma = picture(640, time);
            let mut state = seed | 1;
            for sample in &mut luma {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = i32::from((state >> 24) as u8) % 120 - 60;
                *sample = (i32::from(*sample) * 3 / 4 + brightness + noise).clamp(0, 255) as u8;
            }
            prop_assert_eq!(read(&luma, 640, 640), Some(time));
        }

        #[test]
        fn survives_uniform_scaling(time in 0_u64..1 << 48, width in 400_usize..1600) {
            let from = picture(1280, time);
            let mut to = vec![0; width * width / 2];
            for y in 0..width / 2 {
                for x in 0..width {
                    to[y * width + x] = from[(y * 1280 / width).min(639) * 1280 + x * 1280 / width];
                }
            }
            prop_assert_eq!(read(&to, width, width), Some(time));
        }

        #[test]
        fn a_wrong_bit_is_noticed(time in 0_u64..1 << 48, cell in 8_usize..64) {
            let mut luma = picture(640, time);
            let (x, y) = (64 + cell % 32 * 16, 16 + cell / 32 * 16);
            for row in y..y + 16 {
                for sample in &mut luma[row * 640 + x..row * 640 + x + 16] {
                    *sample = 251 - *sample;
                }
            }
            prop_assert_eq!(read(&luma, 640, 640), None);
        }
    }

    #[test]
    fn a_picture_without_code_reads_as_none() {
        assert_eq!(read(&vec![16; 640 * 320], 640, 640), None);
        assert_eq!(read(&vec![235; 640 * 320], 640, 640), None);
        assert_eq!(read(&[], 640, 640), None);
    }
}
