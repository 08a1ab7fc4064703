// Opens the page of a running daemon in Chromium, watches it for a while and prints as JSON what was seen.
// What is to be expected of it is decided by the test that starts this (../browser.rs).
//
//   node play.js SECONDS SCREENSHOT
//
// Says "ready" when the browser runs; the address comes as a line on standard input then.

import { start } from "./chromium.js";
import { createInterface } from "node:readline/promises";

const [seconds, screenshot] = process.argv.slice(2);

const browser = await start((Number(seconds) + 30) * 1000);
const report = { opened: 0, complaints: [], failures: [], page: null };
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) report.complaints.push(message.text());
  });
  page.on("pageerror", (error) => report.complaints.push(String(error)));
  page.on("requestfailed", (request) => report.failures.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) report.failures.push(`${response.url()}: ${response.status()}`);
  });
  await page.addInitScript(recordEvents);
  console.log("ready");
  const input = createInterface({ input: process.stdin });
  const address = await new Promise((resolve) => input.once("line", resolve));
  input.close();
  report.opened = Date.now();
  await page.goto(address);
  await page.waitForSelector("video");
  report.page = await page.evaluate(watch, Number(seconds) * 1000);
  await page.screenshot({ path: screenshot });
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));

/** Runs inside the page before its own scripts: every event of the video from the first on. */
function recordEvents() {
  globalThis.videoEvents = [];
  for (const name of ["loadeddata", "playing", "waiting", "error", "seeking", "pause", "ended", "emptied"]) {
    document.addEventListener(
      name,
      ({ target: { currentTime: time, buffered } }) => {
        const ahead = buffered.length ? buffered.end(buffered.length - 1) - time : 0;
        globalThis.videoEvents.push({ name, at: Date.now(), time, ahead });
      },
      { capture: true },
    );
  }
}

/**
 * Runs inside the page.
 * @param {number} duration  milliseconds, from the first picture on
 */
async function watch(duration) {
  const video = document.querySelector("video");
  const assets = document.querySelector("script[src$='page.js']").src.replace(/[^/]*$/, "");
  const { TimeCodeReader } = await import(`${assets}timecode.js`);
  const timeCode = new TimeCodeReader(video);

  const nextFrame = () => new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) await nextFrame();
  const firstPicture = Date.now();

  const frames = { count: 0, longestGap: 0, gapAt: 0, last: performance.now() };
  const count = () => {
    const now = performance.now();
    frames.count++;
    if (running() && now - frames.last > frames.longestGap) {
      frames.longestGap = now - frames.last;
      frames.gapAt = video.currentTime;
    }
    frames.last = now;
    video.requestVideoFrameCallback(count);
  };
  const events = globalThis.videoEvents;
  const running = () => events.some(({ name }) => name === "playing");
  video.requestVideoFrameCallback(count);

  const samples = [];
  const until = firstPicture + duration;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    // What the playlist offers at the moment of the picture, read by hand and not by the player under test.
    const made = timeCode.read();
    const time = video.currentTime;
    const now = Date.now();
    const text = await (await fetch("/media/live/index.m3u8", { cache: "no-store" })).text();
    const target = Number(text.match(/#EXT-X-TARGETDURATION:(\d+)/)?.[1]);
    const entries = [...text.matchAll(/#EXT-X-PROGRAM-DATE-TIME:(\S+)\n#EXTINF:([\d.]+)/g)];
    // Segments that begin after the picture; a tenth of a second is for the rounding of both clocks.
    const later = entries.filter(([, date]) => Date.parse(date) > made + 100);
    const secondsLater = later.reduce((sum, [, , duration]) => sum + Number(duration), 0);
    samples.push({
      now, time, made,
      // The first segments of a stream are shorter: they count as what they are of a whole one.
      segmentsBehind: made === null ? null : Math.min(later.length, secondsLater / target),
      bufferedAhead: video.buffered.length ? video.buffered.end(video.buffered.length - 1) - time : 0,
      playbackRate: video.playbackRate,
    });
  }
  const quality = video.getVideoPlaybackQuality();
  return {
    firstPicture, events, samples, longestGap: frames.longestGap, gapAt: frames.gapAt, frames: frames.count,
    droppedFrames: quality.droppedVideoFrames,
    state: document.getElementById("state").textContent,
    latency: document.getElementById("latency").textContent,
  };
}
