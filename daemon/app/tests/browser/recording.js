// Watches recordings in Chromium as their streamer does. What is on the card is laid there by the test that starts this (../browser_recordings.rs).
// Ends with an error at the first step that does not come out; says what it has seen as JSON.
//
//   node recording.js ADDRESS PASSWORD FOLDER STREAM        a stream that has ended: play, seek, chat in step, clip, download, pin, delete, undo
//   node recording.js ADDRESS PASSWORD FOLDER               goes live and records: rewind, back to live, stop, play
//
// Leaves pictures of the screen in FOLDER.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, password, folder, stream] = process.argv.slice(2);
const PATIENCE = 30_000;

// Whatever hangs, the test must not.
setTimeout(() => process.exit(75), 150_000).unref();

const browser = await chromium.launch({
  executablePath: process.env.PERCH_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--mute-audio"],
});
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
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
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, nodes } of violations) report.complaints.push(`${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" ")}`);
  await page.screenshot({ path: `${folder}/${stream ? "recorded" : "live"}-${String(report.steps.length).padStart(2, "0")}.png` });
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
  await button("Undo").click();
  await shows(0, 1);
  await button("Pinned").waitFor();
  await step("and back again");

  await page.goto(`${address}/settings/recordings`);
  await page.getByText("used by 1 recording").waitFor();
  await page.getByRole("link", { name: "Nest box" }).waitFor();
  await step("the owner sees what recordings take");
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${address}/watch/${stream}`);
  await shows(0, 1);
  await step("on a phone");
  await button("Delete recording").click();
  await page.getByText("This stream has ended").waitFor();
  // Whoever leaves the page means it.
  await page.goto(`${address}/`);
  while ((await fetch(`${address}/api/v1/recordings/${stream}`)).status !== 404) await page.waitForTimeout(50);
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
  await page.getByLabel("Position").fill("2");
  await shows(2, 6);
  await page.waitForFunction(() => !document.querySelector("video").paused);
  await step("it goes back to its beginning");
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
