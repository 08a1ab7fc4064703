// The player in frames of two other sites, in Chromium: one that may show it and one that may not; and the dialog for sharing. Ends
// with an error at the first step that does not come out; prints what it has seen as JSON.
//
//   node embed.js ALLOWED OTHER WATCH FOLDER
//
// ALLOWED and OTHER are pages with the player in a frame, WATCH the stream's own page. Leaves pictures in FOLDER: of the player, and of the
// code as qr.png.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";

const [allowed, other, watch, folder] = process.argv.slice(2);

const browser = await start(90_000);
const report = { complaints: [], steps: [] };

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  page.setDefaultTimeout(30_000);
  let refusals = 0;
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    if (/frame-ancestors/.test(message.text())) refusals++;
    else report.complaints.push(message.text());
  });
  page.on("pageerror", (error) => report.complaints.push(String(error)));

  await page.goto(allowed);
  const video = page.frameLocator("iframe").locator("video");
  await video.waitFor();
  const moves = await page.frames()[1].waitForFunction(() => document.querySelector("video").currentTime > 0);
  assert.ok(moves);
  assert.equal(await page.frameLocator("iframe").locator("header").count(), 0, "nothing but the player");
  await page.screenshot({ path: `${folder}/embed.png` });
  report.steps.push("an allowed site shows the player, and it plays");

  await page.goto(other);
  await page.waitForTimeout(500);
  assert.ok(refusals > 0, "the browser refuses the frame");
  assert.equal(await page.frameLocator("iframe").locator("video").count(), 0);
  report.steps.push("another site does not");

  await page.goto(watch);
  await page.getByRole("button", { name: "Share", exact: true }).click();
  assert.equal(await page.getByRole("textbox", { name: "Address", exact: true }).inputValue(), watch);
  const code = page.getByRole("img", { name: "Code with this address, for a phone's camera" });
  await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, await code.elementHandle());
  await code.screenshot({ path: `${folder}/qr.png` });
  assert.match(await page.getByRole("textbox", { name: "Player for other pages" }).inputValue(), /^<iframe src="http[^"]*\/embed\/[0-9A-Z]{26}"/);
  await page.screenshot({ path: `${folder}/share.png` });
  report.steps.push("the dialog has the address, a code, and the player for other pages");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
