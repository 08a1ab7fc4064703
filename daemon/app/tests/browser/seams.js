// Opens the page of a running daemon in Chromium and stays on it, whatever becomes of the daemon and its camera. What is to be expected is
// decided by the test that starts this (../browser_seams.rs).
//
//   node seams.js
//
// Says "ready" when the browser runs. Then a line on standard input is an order, and is answered with a line of JSON:
//
//   open ADDRESS          waits for the first picture
//   newer UNIX_MS         waits for a picture that was made after this, by its time code
//   pictures COUNT        waits for so many more pictures on the screen

import { start } from "./chromium.js";
import { createInterface } from "node:readline/promises";

/** Milliseconds that an order may take. */
const PATIENCE = 60_000;
const browser = await start(6 * PATIENCE);
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  let loads = 0;
  page.on("load", () => loads++);
  const orders = {
    open: async (address) => {
      await page.goto(address);
      await page.waitForSelector("video");
      await page.evaluate(watch);
      await page.waitForFunction(() => globalThis.pictures > 0);
    },
    newer: (time) => page.waitForFunction((time) => globalThis.made() > time, Number(time), { polling: 100 }),
    pictures: async (count) => {
      const now = await page.evaluate(() => globalThis.pictures);
      await page.waitForFunction((until) => globalThis.pictures >= until, now + Number(count), { polling: 100 });
    },
  };
  console.log("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, argument] = line.split(" ");
    const began = Date.now();
    await orders[order](argument);
    const pictures = await page.evaluate(() => globalThis.pictures);
    console.log(JSON.stringify({ took: Date.now() - began, loads, pictures }));
  }
} finally {
  await browser.close();
}

/** Runs inside the page: counts the pictures that come on the screen, and can tell when the one on show was made. */
async function watch() {
  const video = document.querySelector("video");
  const assets = document.querySelector("script[type=module]").src.replace(/[^/]*$/, "");
  const { TimeCodeReader } = await import(`${assets}timecode.js`);
  const timeCode = new TimeCodeReader(video);
  globalThis.made = () => timeCode.read() ?? 0;
  globalThis.pictures = 0;
  const count = () => {
    globalThis.pictures++;
    video.requestVideoFrameCallback(count);
  };
  video.requestVideoFrameCallback(count);
}
