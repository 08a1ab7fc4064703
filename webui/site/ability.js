// What a camera can do, as choices for people. Nothing is offered that the daemon would refuse.

/** @import { Ability } from "../types.js" */

const USUAL_BITRATES = [300, 500, 800, 1200, 1800, 2500, 3500, 5000, 6500, 8000, 12_000, 20_000];

/** Bits for a pixel of a picture that looks well, by experience with H.264 of cheap encoders. */
const BITS_PER_PIXEL = 0.09;

/** @typedef {{ width: number, height: number, rates: number[] }} Size */

/**
 * Sizes with the frame rates that each can have, the small ones first.
 * @param {Ability} ability
 * @returns {Size[]}
 */
export function sizesOf({ modes }) {
  const sizes = modes.map(({ width, height, frames_per_second }) => ({ width, height, rates: [...frames_per_second].sort((a, b) => a - b) }));
  return sizes.sort((a, b) => a.width * a.height - b.width * b.height);
}

/**
 * Bitrates in kbit/s within what the encoder takes, with the one that suits the picture.
 * @param {Ability} ability
 * @param {{ width: number, height: number, fps: number }} picture
 */
export function bitratesOf({ bitrate_kbps: { min, max } }, { width, height, fps }) {
  const suits = Math.round((width * height * Math.min(fps, 30) * BITS_PER_PIXEL) / 1000);
  const choices = [...new Set([min, ...USUAL_BITRATES.filter((rate) => rate > min && rate < max), max])].filter((rate) => rate <= 50_000 || rate === min);
  const recommended = choices.reduce((best, rate) => (Math.abs(rate - suits) < Math.abs(best - suits) ? rate : best), min);
  return { choices, recommended };
}

/**
 * The choice that is nearest to what is wanted.
 * @param {number[]} choices
 * @param {number} wanted
 */
export function nearest(choices, wanted) {
  return choices.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best), choices[0] ?? wanted);
}
