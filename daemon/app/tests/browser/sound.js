// Opens the page of a running daemon in Chromium, plays it aloud for a while and prints as JSON how much of sound and picture was decoded. What is
// to be expected of it is decided by the test that starts this (../sound.rs).
//
//   node sound.js SECONDS          of the stream to be played; the address comes as a line on standard input

import { start } from "./chromium.js";
import { createInterface } from "node:readline/promises";

const seconds = Number(process.argv[2]);

const browser = await start((seconds + 60) * 1000, ["--autoplay-policy=no-user-gesture-required"]);
const complaints = [];
try {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.text().startsWith("player:")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  const input = createInterface({ input: process.stdin });
  const address = await new Promise((resolve) => input.once("line", resolve));
  input.close();
  await page.goto(address);
  await page.waitForSelector("video", { state: "attached" });
  const seen = await page.evaluate(watch, seconds);
  console.log(JSON.stringify({ ...seen, complaints }));
} finally {
  await browser.close();
}

/**
 * Runs inside the page.
 * @param {number} seconds  of the stream, from the first picture that moves
 */
async function watch(seconds) {
  const video = document.querySelector("video");
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  while (video.paused || video.currentTime === 0) await pause(50);
  video.muted = false;
  const began = video.currentTime;
  while (video.currentTime < began + seconds) await pause(50);
  return {
    audioBytes: video.webkitAudioDecodedByteCount,
    videoBytes: video.webkitVideoDecodedByteCount,
    isMuted: video.muted,
  };
}
