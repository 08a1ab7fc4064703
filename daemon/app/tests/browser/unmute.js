// Listens to the page of a running daemon in Chromium: unmutes it as a person does, comes back to it, and says as JSON what it has heard and seen.
// What is to be expected of it is decided by the test that starts this (../browser_sound.rs).
//
//   node unmute.js BEEPING SILENT FOLDER    addresses of two pages: the test pattern with its tone, and without; where pictures of the screen go

import { start } from "./chromium.js";

const [beeping, silent, folder] = process.argv.slice(2);

const launch = (policy) => start(110_000, [`--autoplay-policy=${policy}`]);
const report = { complaints: [] };

/** Opens a page and waits until its picture moves. */
async function play(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => report.complaints.push(String(error)));
  await page.goto(address);
  await moves(page);
  return page;
}
/** Asks as no person would: what playwright itself evaluates counts as a touch of the page, after which everything may be heard. */
async function moves(page) {
  const session = await page.context().newCDPSession(page);
  const expression = "(() => { const video = document.querySelector('video'); return Boolean(video && !video.paused && video.currentTime > 0); })()";
  for (;;) {
    const { result } = await session.send("Runtime.evaluate", { expression, userGesture: false });
    if (result.value) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await session.detach();
}
const unmute = (page) => page.getByRole("button", { name: "Unmute", exact: true });
const state = (page) => page.evaluate(() => {
  const { muted, volume, paused } = document.querySelector("video");
  return { muted, paused, percent: Math.round(volume * 100) };
});

const strict = await launch("user-gesture-required");
const lenient = await launch("no-user-gesture-required");
try {
  const first = await strict.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await play(first, beeping);
  report.first = await state(page);
  await unmute(page).waitFor();
  await page.screenshot({ path: `${folder}/unmute-desktop-muted.png` });
  await unmute(page).click();
  report.tapped = await state(page);
  report.heard = await page.evaluate(listen, 6);
  // The keys work where the picture or its control has the focus.
  await page.getByRole("button", { name: "Mute", exact: true }).focus();
  await page.screenshot({ path: `${folder}/unmute-desktop-heard.png` });
  await page.keyboard.press("m");
  report.keyed = [await state(page)];
  await page.keyboard.press("m");
  for (let n = 0; n < 4; n++) await page.keyboard.press("ArrowDown");
  report.keyed.push(await state(page));
  await page.getByRole("slider", { name: "Volume" }).fill("55");
  report.slid = await state(page);
  const storageState = await first.storageState();

  // Somebody comes back: where the browser lets the page, it is heard at once.
  const back = await play(await lenient.newContext({ storageState }), beeping);
  report.back = await state(back);
  report.heardAgain = await back.evaluate(listen, 3);
  await back.reload();
  await moves(back);
  report.reloaded = await state(back);

  // And where the browser does not, one tap is enough again.
  const phone = { storageState, viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, colorScheme: "dark" };
  const held = await play(await strict.newContext(phone), beeping);
  await unmute(held).waitFor();
  report.held = await state(held);
  await held.screenshot({ path: `${folder}/unmute-phone-muted.png` });
  await unmute(held).tap();
  report.heldTapped = await state(held);
  report.kept = await held.evaluate(() => JSON.parse(localStorage.getItem("perch.sound")));

  const quiet = await play(await strict.newContext(), silent);
  // Time enough to find sound, if there were any.
  await quiet.waitForFunction((from) => document.querySelector("video").currentTime > from + 2, await quiet.evaluate(() => document.querySelector("video").currentTime));
  report.buttonsWithoutSound = await quiet.locator(".sound").count();
} finally {
  await Promise.all([strict.close(), lenient.close()]);
}
console.log(JSON.stringify(report));

/**
 * Runs inside the page: when beeps and flashes begin, in milliseconds.
 * @param {number} seconds
 */
async function listen(seconds) {
  const video = document.querySelector("video");
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
  await context.resume();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [16, 2];
  const picture = canvas.getContext("2d", { willReadFrequently: true });
  const samples = new Float32Array(analyser.fftSize);
  const ears = { begins: [], since: 0, level: () => {
    analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length) > 0.01;
  } };
  const eyes = { begins: [], since: 0, level: () => {
    // The lowest eighth of the picture is the lane that flashes.
    const { videoWidth: width, videoHeight: height } = video;
    picture.drawImage(video, 0, (height * 7) / 8, width, height / 8, 0, 0, 16, 2);
    const { data } = picture.getImageData(0, 0, 16, 2);
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
    return sum / (data.length / 4) / 3 > 120;
  } };
  const began = performance.now();
  for (let now = began; now < began + seconds * 1000; now = performance.now()) {
    for (const sense of [ears, eyes]) {
      if (!sense.level()) continue;
      // One that is on already at the beginning began before.
      if (now - sense.since > 400 && now - began > 400) sense.begins.push(Math.round(now - began));
      sense.since = now;
    }
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  return { beeps: ears.begins, flashes: eyes.begins };
}
