// Plays a recording in Chromium: as one file in a video element, whole and a clip of it, and its playlist by Shaka Player and hls.js. What is to be expected of it is
// decided by the test that starts this (../players.rs). Says what it has seen as JSON; ends with an error at what does not play.
//
//   node players.js ADDRESS STREAM FROM TO         the clip is from second to second
//   node players.js ADDRESS STREAM                 only its playlist

import { createRequire } from "node:module";
import { start } from "./chromium.js";

const [address, stream, from, to] = process.argv.slice(2);

// Whatever hangs, the test must not: it then says where.
let page;
setTimeout(async () => {
  setTimeout(() => process.exit(75), 5_000);
  const where = () => {
    const { currentTime, readyState, networkState, paused, seeking, ended, buffered } = document.querySelector("video");
    const there = buffered.length ? [buffered.start(0), buffered.end(buffered.length - 1)] : [];
    return { step: globalThis.step, currentTime, readyState, networkState, paused, seeking, ended, there };
  };
  console.error(JSON.stringify(report), JSON.stringify(await page.evaluate(where)));
  process.exit(75);
}, 100_000).unref();

const browser = await start(120_000, ["--autoplay-policy=no-user-gesture-required"]);
const { resolve } = createRequire(import.meta.url);
const report = { complaints: [], whole: null, clip: null, shaka: null, hls: null };
try {
  page = await browser.newPage();
  const complain = async () => report.complaints.push(...(await page.evaluate(() => (globalThis.failed ? [String(globalThis.failed)] : []))));
  page.on("pageerror", (error) => report.complaints.push(String(error)));
  page.on("response", (response) => {
    if (response.status() >= 400) report.complaints.push(`${response.url()}: ${response.status()}`);
  });
  // A page of nobody's at the daemon's address.
  const empty = `${address}/players.html`;
  await page.route(empty, (route) => route.fulfill({ contentType: "text/html", body: "<link rel=icon href=data:,><video></video>" }));
  const file = `/media/${stream}/recording.mp4`;
  const files = from === undefined ? [] : [["whole", file], ["clip", `${file}?from=${from}&to=${to}`]];
  for (const [name, source] of files) {
    await page.goto(empty);
    await page.evaluate((source) => void (document.querySelector("video").src = source), source);
    report[name] = await page.evaluate(watch);
  }
  await page.goto(empty);
  await page.addScriptTag({ path: resolve("shaka-player/dist/shaka-player.compiled.js") });
  await page.evaluate(async (playlist) => {
    globalThis.shaka.polyfill.installAll();
    const player = new globalThis.shaka.Player();
    player.addEventListener("error", ({ detail }) => console.assert(false, (globalThis.failed = detail)));
    await player.attach(document.querySelector("video"));
    await player.load(playlist);
  }, `/media/${stream}/index.m3u8`);
  report.shaka = await page.evaluate(watch);
  await complain();
  await page.goto(empty);
  await page.addScriptTag({ path: resolve("hls.js/dist/hls.min.js") });
  await page.evaluate((playlist) => {
    const hls = new globalThis.Hls();
    hls.on(globalThis.Hls.Events.ERROR, (_, { fatal, details }) => fatal && (globalThis.failed = details));
    hls.loadSource(playlist);
    hls.attachMedia(document.querySelector("video"));
  }, `/media/${stream}/index.m3u8`);
  report.hls = await page.evaluate(watch);
  await complain();
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));

/** Runs inside the page: plays from the beginning, seeks forward and back, and plays to the end. */
async function watch() {
  const video = document.querySelector("video");
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const until = async (is) => {
    while (!is()) {
      if (video.error) throw new Error(video.error.message);
      await pause(20);
    }
  };
  globalThis.step = "load";
  await until(() => video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
  globalThis.step = "play";
  const duration = video.duration;
  await video.play();
  await until(() => video.currentTime > 1);
  video.pause();
  const sought = [];
  for (const part of [0.7, 0.2, 0.5]) {
    // In the middle of a picture's time or near it, not on the edge of two.
    const at = Math.floor(duration * part * 15) / 15 + 0.01;
    globalThis.step = `seek to ${at}`;
    let shown = null;
    video.requestVideoFrameCallback((_, { mediaTime }) => (shown = mediaTime));
    video.currentTime = at;
    await until(() => !video.seeking && shown !== null);
    sought.push({ at, shown });
  }
  globalThis.step = "play to the end";
  video.currentTime = duration - 1;
  await video.play();
  await until(() => video.ended);
  return { duration, sought, ended: video.currentTime };
}
