// Watches recordings in Chromium as their streamer does. What is on the card is laid there by the test that starts this (../browser_recordings.rs).
// Ends with an error at the first step that does not come out; says what it has seen as JSON.
//
//   node recording.js ADDRESS PASSWORD FOLDER STREAM        a stream that has ended: play, seek, chat in step, clip, download, pin, delete, undo
//   node recording.js ADDRESS PASSWORD FOLDER               goes live and records: rewind, back to live, stop, play
//
// Leaves pictures of the screen in FOLDER.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";
import { look } from "./looks.js";

const [address, password, folder, stream] = process.argv.slice(2);
const PATIENCE = 30_000;

const browser = await start(150_000);
const report = { complaints: [], steps: [], downloads: [], backToLive: 0 };
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
context.setDefaultTimeout(PATIENCE);
context.on("console", (message) => {
  if (["warning", "error"].includes(message.type()) && !/player: /.test(message.text())) report.complaints.push(message.text());
});
context.on("weberror", (error) => report.complaints.push(String(error.error())));
context.on("response", (response) => {
  if (response.status() >= 400) report.complaints.push(`${new URL(response.url()).pathname}: ${response.status()}`);
});
const page = await context.newPage();

async function step(name) {
  report.steps.push(name);
  await look(page, name, `${folder}/${stream ? "recorded" : "live"}-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
}

const button = (name) => page.getByRole("button", { name, exact: true });
const said = (text) => page.getByRole("log").getByText(text);
/** Waits until the picture shows a second in this range. */
const shows = (from, to) =>
  page.waitForFunction(([from, to]) => {
    const video = document.querySelector("video");
    return video && video.readyState >= 2 && !video.seeking && video.currentTime >= from && video.currentTime < to;
  }, [from, to]);
const seek = (to) => page.evaluate((to) => void (document.querySelector("video").currentTime = to), to);
const play = () => page.evaluate(() => document.querySelector("video").play());
const pause = () => page.evaluate(() => document.querySelector("video").pause());

async function download(name, act) {
  const [file] = await Promise.all([page.waitForEvent("download"), act()]);
  await file.saveAs(`${folder}/${name}`);
  report.downloads.push(file.suggestedFilename());
}

async function logIn() {
  await page.goto(`${address}/login`);
  await page.getByLabel("Username").fill("olga");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("button", { name: /^Menu of/ }).waitFor();
}

async function watchRecorded() {
  await page.goto(`${address}/?show=recorded`);
  await page.getByText("0:20").waitFor();
  await step("Discover tells how long a recording is");
  await page.getByRole("link", { name: "Nest box", exact: true }).click();
  await page.getByText("Recording", { exact: true }).waitFor();
  await shows(0, 0.5);
  await page.getByText("Messages appear here as the recording plays.").waitFor();
  await step("the recording is there, and the chat waits for it");
  await page.evaluate(() => void (document.querySelector("video").muted = true));
  await play();
  await said("Good morning").waitFor();
  assert.equal(await said("Here she comes").count(), 0, "not said yet");
  await shows(1, 8);
  await seek(15.5);
  await said("Back after a break").waitFor();
  await said("Here she comes").waitFor();
  await page.getByText("0:14", { exact: true }).waitFor();
  await shows(15, 20);
  await seek(9);
  await said("Back after a break").waitFor({ state: "detached" });
  await said("Here she comes").waitFor();
  await pause();
  await shows(9, 12);
  assert.deepEqual(await page.locator(".line-time").allTextContents(), ["0:02", "0:08"]);
  await step("the chat is in step, also after seeking back and forth across a pause of the stream");

  await timeLine();

  await seek(4);
  await button("Clip").click();
  await page.getByLabel("End of the clip").fill("7");
  await page.getByText("0:04 to 0:07 (0:03)").waitFor();
  await step("a clip has two handles");
  await download("clip.mp4", () => page.getByRole("link", { name: "Download clip" }).click());
  await button("Close").click();
  await download("whole.mp4", () => page.getByRole("link", { name: "Download", exact: true }).click());

  await button("Pin").click();
  await button("Pinned").waitFor();
  await button("Delete recording").click();
  await page.getByText("This stream has ended").waitFor();
  await step("what is deleted is away at once");
  assert.equal((await fetch(`${address}/api/v1/recordings/${stream}`)).status, 404);
  await button("Undo").click();
  await shows(0, 1);
  await button("Pinned").waitFor();
  await step("and back again");

  await page.goto(`${address}/settings/recordings`);
  await page.getByText("used by 1 recording").waitFor();
  await page.getByRole("link", { name: "Nest box" }).waitFor();
  await step("the owner sees what recordings take");
  await page.getByLabel("Of user").fill("olga");
  await button("Delete all of yours").click();
  await page.getByText("Delete all your recordings?").waitFor();
  await step("all of a user are deleted only after a question");
  await button("Delete all").click();
  await page.getByText("1 recording deleted.").waitFor();
  await page.getByText("There are no recordings of “olga”.").waitFor();
  await button("Undo").click();
  await page.getByRole("link", { name: "Nest box" }).waitFor();
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${address}/watch/${stream}`);
  await shows(0, 1);
  await step("on a phone");
  await page.emulateMedia({ colorScheme: "dark" });
  await finger();
  await button("Delete recording").click();
  await page.getByText("This stream has ended").waitFor();
  await button("Undo").waitFor();
  assert.equal((await fetch(`${address}/api/v1/recordings/${stream}`)).status, 404);
}

/** The second of the recording that the preview's picture is of: its upper band has a brightness for each (support/recorded.rs). */
const previewed = () =>
  page.evaluate(async () => {
    const picture = document.querySelector(".preview-picture");
    const [sheet, frame] = [picture.querySelector("img"), picture.getBoundingClientRect()];
    await sheet.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [frame.width, frame.height];
    const context = canvas.getContext("2d");
    const { left, top } = sheet.getBoundingClientRect();
    context.drawImage(sheet, left - frame.left, top - frame.top);
    return context.getImageData(frame.width / 2, frame.height / 12, 1, 1).data[1];
  });
const brightness = (second) => ((30 + ((second * 37) % 180) - 16) * 255) / 219;

/** The picture under the pointer, under a held handle, and at a pressed key is the one of its second. */
async function timeLine() {
  const line = page.getByRole("slider", { name: "Position" });
  const preview = page.locator(".preview");
  const { x, y, width, height } = await line.boundingBox();
  const at = (second) => [x + (width * second) / 20, y + height / 2];
  for (const second of [1.1, 6.8, 12.9, 19.2]) {
    await page.mouse.move(...at(second));
    const shown = Math.round(second);
    await preview.getByText(`0:${String(shown).padStart(2, "0")}`, { exact: true }).waitFor();
    await preview.locator("img").waitFor();
    const expected = brightness(shown - (shown % 2));
    const seen = await previewed();
    assert.ok(Math.abs(seen - expected) < 12, `at ${second} s: ${seen}, not ${expected}`);
  }
  await step("the time line shows the moment under the pointer");
  await page.mouse.move(...at(10));
  await page.mouse.down();
  await page.mouse.move(...at(5.2), { steps: 4 });
  await preview.getByText("0:05", { exact: true }).waitFor();
  await page.mouse.up();
  await shows(4.5, 6);
  await page.mouse.move(x, y - 300);
  await preview.waitFor({ state: "detached" });
  await line.focus();
  await page.keyboard.press("ArrowRight");
  await shows(5.5, 7);
  await preview.getByText("0:06", { exact: true }).waitFor();
  assert.ok(Math.abs((await previewed()) - brightness(6)) < 12);
  assert.match(await line.getAttribute("aria-valuetext"), /^0:0[56] of 0:20$/);
  assert.equal(await preview.getAttribute("aria-hidden"), "true");
  await preview.waitFor({ state: "detached" });
  // A player that knows nothing of this page reads the same track.
  const cues = await page.evaluate(async (address) => {
    const track = document.createElement("track");
    Object.assign(track, { kind: "metadata", src: address });
    document.querySelector("video").append(track);
    track.track.mode = "hidden";
    await new Promise((resolve, reject) => Object.assign(track, { onload: resolve, onerror: reject }));
    const cues = [...track.track.cues].map(({ startTime, endTime, text }) => [startTime, endTime, text]);
    track.remove();
    return cues;
  }, `/media/${stream}/thumbnails.vtt`);
  assert.equal(cues.length, 10);
  assert.deepEqual(cues[3].slice(0, 2), [6, 8]);
  assert.match(cues[7][2], /^thumbnails-1\.jpg#xywh=160,120,160,120$/);
}

/** A finger drags the handle: what it would cover is shown above it. */
async function finger() {
  const { x, y, width, height } = await page.getByRole("slider", { name: "Position" }).boundingBox();
  const client = await page.context().newCDPSession(page);
  const touch = (type, second) =>
    client.send("Input.dispatchTouchEvent", { type, touchPoints: second === null ? [] : [{ x: x + (width * second) / 20, y: y + height / 2 }] });
  await client.send("Emulation.setTouchEmulationEnabled", { enabled: true });
  await touch("touchStart", 1);
  for (const second of [2, 5, 9, 14]) await touch("touchMove", second);
  await page.locator(".preview").getByText(/^0:1[345]$/).waitFor();
  const seen = await previewed();
  assert.ok(Math.abs(seen - brightness(14)) < 12 || Math.abs(seen - brightness(12)) < 12, `${seen}`);
  await step("a finger on the time line");
  await touch("touchEnd", null);
  await shows(12, 16);
  await client.send("Emulation.setTouchEmulationEnabled", { enabled: false });
}

async function watchLive() {
  await page.goto(`${address}/live`);
  await page.getByLabel("Title").fill("Nest box");
  await page.getByLabel("Record").check();
  await button("Go live").click();
  await page.getByRole("group", { name: "Rewind" }).waitFor();
  await shows(0.1, 1e9);
  // Until there is enough to go back to.
  await page.waitForFunction(() => Number(document.querySelector(".timeline input").max) >= 14);
  await step("a live stream that is recorded has a time line");
  await page.getByLabel("Write a message").fill("Look at her");
  await page.keyboard.press("Enter");
  await said("Look at her").waitFor();
  await download("so-far.mp4", () => page.getByRole("link", { name: "Download so far" }).click());
  await page.getByLabel("Position").fill("2");
  await shows(2, 6);
  await page.getByText("1 newer message.").waitFor();
  assert.equal(await said("Look at her").count(), 0, "not said yet");
  await page.waitForFunction(() => !document.querySelector("video").paused);
  await step("it goes back to its beginning");
  // Where the message was written, the chat has it, though the stream goes on.
  await page.waitForFunction(() => Number(document.querySelector(".timeline input").max) >= 24);
  await page.getByLabel("Position").fill("22");
  await said("Look at her").waitFor();
  await page.getByText("No newer messages.").waitFor();
  await button("Back to live").click();
  await page.getByLabel("Write a message").waitFor();
  await page.getByLabel("Position").fill("8");
  await shows(8, 12);
  const before = Date.now();
  await button("Live").click();
  await page.waitForFunction(() => {
    const video = document.querySelector("video[aria-label^='Live']");
    return video && !video.paused && video.readyState >= 3 && video.currentTime > 0;
  }, null, { polling: 20 });
  report.backToLive = Date.now() - before;
  await step("and is back at what is live");
  await page.getByLabel("Write a message").fill("That was quick");
  await page.keyboard.press("Enter");
  await said("That was quick").waitFor();
  await button("Stop").click();
  await button("Stop the stream").click();
  await page.getByText("Recording", { exact: true }).waitFor();
  await shows(0, 0.5);
  await seek(1e6);
  await said("That was quick").waitFor();
  await step("what has ended is played from its beginning");
}

try {
  await logIn();
  await (stream ? watchRecorded() : watchLive());
} catch (error) {
  await page.screenshot({ path: `${folder}/failed.png` }).catch(() => {});
  throw error;
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
