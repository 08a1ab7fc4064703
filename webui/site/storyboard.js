// The small pictures along a recording's time line: a WebVTT track whose cues name a part of a sheet (`sheet.jpg#xywh=left,top,width,height`).
// Loaded when somebody looks for them, and anew while there are more to come.

import { api } from "./api.js";

/**
 * @typedef {object} SmallPicture
 * @property {number} from  seconds of the recording
 * @property {string} sheet  its address
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

/** A track that may grow is asked for again after so many milliseconds. */
const FRESH = 60_000;

const TIME = /^(?:(\d+):)?(\d\d):(\d\d\.\d{3}) --> /;
const PLACE = /^(.+)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

/**
 * The pictures of a track, in order. What is not understood is left out.
 * @param {string} text
 * @param {string} address  of the track, which the sheets' addresses are relative to
 * @returns {SmallPicture[]}
 */
export function picturesOf(text, address) {
  const pictures = [];
  const lines = text.split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const time = TIME.exec(line);
    const place = time && PLACE.exec(lines[index + 1] ?? "");
    if (!time || !place) continue;
    const [left = 0, top = 0, width = 0, height = 0] = place.slice(2).map(Number);
    const from = Number(time[1] ?? 0) * 3600 + Number(time[2]) * 60 + Number(time[3]);
    pictures.push({ from, sheet: new URL(place[1] ?? "", address).href, left, top, width, height });
  }
  return pictures;
}

/**
 * The picture on show at a second.
 * @param {SmallPicture[]} pictures
 * @param {number} second
 * @returns {SmallPicture | null}
 */
export function pictureAt(pictures, second) {
  let [low, high] = [0, pictures.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {SmallPicture} */ (pictures[middle]).from <= second) low = middle + 1;
    else high = middle;
  }
  return pictures[low - 1] ?? null;
}

export class Storyboard {
  #stream;
  /** When it was asked for last, milliseconds of the page's clock. */
  #askedAt = -Infinity;
  #isWhole = false;
  /** @type {SmallPicture[]} */
  pictures = [];

  /** @param {string} stream  its id */
  constructor(stream) {
    this.#stream = stream;
  }

  /** Loads what there is by now. Without pictures, people still see the time. */
  async load() {
    const now = performance.now();
    if (this.#isWhole || now - this.#askedAt < FRESH) return;
    this.#askedAt = now;
    try {
      const { thumbnails_url, is_growing } = await api.get(`/recordings/${this.#stream}`);
      if (!thumbnails_url) return;
      const address = new URL(thumbnails_url, location.href).href;
      const answer = await fetch(address);
      if (!answer.ok) return;
      this.pictures = picturesOf(await answer.text(), address);
      this.#isWhole = !is_growing;
    } catch {
      // Asked again later.
    }
  }
}
