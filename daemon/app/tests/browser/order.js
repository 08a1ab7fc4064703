// Opens the page of a running daemon in Chromium and prints as JSON, for each picture that is shown, its time in the stream and how light its
// middle is. What is to be expected of it is decided by the test that starts this (../b_frames.rs).
//
//   node order.js SECONDS          the address comes as a line on standard input

import { start } from "./chromium.js";
import { createInterface } from "node:readline/promises";

const seconds = Number(process.argv[2]);

const browser = await start((seconds + 60) * 1000);
try {
  const page = await browser.newPage();
  const input = createInterface({ input: process.stdin });
  const address = await new Promise((resolve) => input.once("line", resolve));
  input.close();
  await page.goto(address);
  await page.waitForSelector("video", { state: "attached" });
  console.log(JSON.stringify(await page.evaluate(watch, seconds * 1000)));
} finally {
  await browser.close();
}

/**
 * Runs inside the page.
 * @param {number} duration  milliseconds, from the first picture on
 */
async function watch(duration) {
  const video = document.querySelector("video");
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pictures = [];
  const nextPicture = () => new Promise((resolve) => video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)));
  let until = Infinity;
  while (performance.now() < until) {
    const time = await nextPicture();
    until = Math.min(until, performance.now() + duration);
    context.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 1, 1, 0, 0, 1, 1);
    pictures.push({ time, grey: context.getImageData(0, 0, 1, 1).data[0] });
  }
  return pictures;
}
