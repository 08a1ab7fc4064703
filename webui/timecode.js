// Reads the time at which a test pattern was drawn. The layout is fixed in daemon/studio/src/capture/test_pattern/time_code.rs:
// in cells of a fortieth of the picture's width, 2 rows of 32 bits begin 4 cells from the left and 1 from the top;
// marker 1010 0101, 48 bits of Unix milliseconds, CRC-8.

const ACROSS = 40;
const DOWN = 4;
const LEFT = 4;
const TOP = 1;
const COLUMNS = 32;
const BITS = 64;
const MARKER = [1, 0, 1, 0, 0, 1, 0, 1];

/** Canvas pixels of a cell, of which the middle is read. */
const CELL = 8;
const INSET = 2;

export class TimeCodeReader {
  #video;
  #context;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
    const canvas = document.createElement("canvas");
    canvas.width = ACROSS * CELL;
    canvas.height = DOWN * CELL;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Unix milliseconds at which the picture shown was drawn, or null if it has no time code. */
  read() {
    const { videoWidth } = this.#video;
    if (!this.#context || videoWidth === 0) return null;
    const { width, height } = this.#context.canvas;
    this.#context.drawImage(this.#video, 0, 0, videoWidth, (videoWidth * DOWN) / ACROSS, 0, 0, width, height);
    return decode(levels(this.#context.getImageData(0, 0, width, height)));
  }
}

/**
 * The brightness of every cell.
 * @param {ImageData} picture
 */
function levels({ data, width }) {
  return Array.from({ length: BITS }, (_, bit) => {
    const x = (LEFT + (bit % COLUMNS)) * CELL;
    const y = (TOP + Math.floor(bit / COLUMNS)) * CELL;
    let sum = 0;
    for (let row = y + INSET; row < y + CELL - INSET; row++) {
      for (let column = x + INSET; column < x + CELL - INSET; column++) {
        // Black and white: one colour is enough.
        sum += data[(row * width + column) * 4 + 1] ?? 0;
      }
    }
    return sum / (CELL - 2 * INSET) ** 2;
  });
}

/**
 * @param {number[]} levels  0 to 255, one for each bit.
 * @returns {number | null}
 */
export function decode(levels) {
  const mean = (/** @type {number} */ bit) => {
    const some = levels.filter((_, i) => MARKER[i] === bit);
    return some.reduce((sum, level) => sum + level, 0) / some.length;
  };
  const white = mean(1);
  const black = mean(0);
  if (white < black + 32) return null;
  /** @type {number[]} */
  const bits = levels.map((level) => (level > (white + black) / 2 ? 1 : 0));
  if (MARKER.some((bit, i) => bits[i] !== bit)) return null;
  const bytes = Array.from({ length: BITS / 8 }, (_, i) => bits.slice(i * 8, i * 8 + 8).reduce((byte, bit) => byte * 2 + bit, 0));
  const time = bytes.slice(1, 7);
  // Numbers hold 53 bits exactly; shifts would hold 32.
  return crc8(time) === bytes[7] ? time.reduce((all, byte) => all * 256 + byte, 0) : null;
}

/** @param {number[]} bytes */
function crc8(bytes) {
  return bytes.reduce((crc, byte) => {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
    return crc;
  }, 0);
}
