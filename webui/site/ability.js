// A camera's abilities as choices for people. The daemon refuses none of them.

/** @import { Ability } from "../types.js" */

const USUAL_BITRATES = [300, 500, 800, 1200, 1800, 2500, 3500, 5000, 6500, 8000, 12_000, 20_000];

/** Bits per pixel for a good picture, by experience with cheap H.264 encoders. */
const BITS_PER_PIXEL = 0.09;

/** @typedef {{ width: number, height: number, rates: number[] }} Size */

/**
 * Sizes with their frame rates, smallest first.
 * @param {Ability} ability
 * @returns {Size[]}
 */
export function sizesOf({ modes }) {
  const sizes = modes.map(({ width, height, frames_per_second }) => ({ width, height, rates: [...frames_per_second].sort((a, b) => a - b) }));
  return sizes.sort((a, b) => a.width * a.height - b.width * b.height);
}

/**
 * The encoder's bitrates in kbit/s, and the one that suits the picture.
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
 * The choice nearest to `wanted`.
 * @param {number[]} choices
 * @param {number} wanted
 */
export function nearest(choices, wanted) {
  return choices.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best), choices[0] ?? wanted);
}
