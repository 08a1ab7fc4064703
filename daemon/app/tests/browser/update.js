// Installs an update of the system in Chromium, on a desktop and then on a phone at night. Finds everything as a screen reader would, by role and name. Ends with an
// error at the first step that does not come out.
//
//   node update.js ADDRESS USERNAME PASSWORD UPDATE FOLDER
//
// What the card's scripts and the board do, the test does that starts this (../browser_update.rs): each line on standard output is where the page is, and waits for a
// line on standard input. The last line is what the page complained of as JSON. Leaves a picture of every step in FOLDER, and has axe look at each.

import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { start } from "./chromium.js";
import { look } from "./looks.js";

const [address, username, password, update, folder] = process.argv.slice(2);

const complaints = [];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** @param {string} where */
const tell = async (where) => {
  console.log(where);
  await lines.next();
};
/** The daemon refuses, and goes away, as it is meant to; browsers tell of that by themselves. */
const EXPECTED = /status of (422|409)|ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE/;

const browser = await start(170_000);
try {
  for (const [name, look] of Object.entries({
    desktop: { viewport: { width: 1280, height: 860 }, colorScheme: "light" },
    phone: { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
  })) {
    const context = await browser.newContext(look);
    await install(await context.newPage(), name);
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify({ complaints }));
process.exit();

/**
 * @param {import("playwright-core").Page} page
 * @param {string} name
 */
async function install(page, name) {
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !EXPECTED.test(message.text()) && complaints.push(`${name}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`${name}: ${error}`));
  let steps = 0;
  const step = (/** @type {string} */ what) => look(page, `${name}, ${what}`, `${folder}/update-${name}-${++steps}`, complaints);
  const file = page.getByLabel("Install an update: choose the file");
  const bar = page.getByRole("progressbar", { name: /^Uploading / });
  const status = (/** @type {string | RegExp} */ words) => page.getByRole("status").filter({ hasText: words }).waitFor();

  await page.goto(`${address}/login?to=/settings/system`);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("heading", { name: "Update", exact: true }).waitFor();
  await page.getByText(/This is Perch \d+\.\d+\.\d+/).waitFor();

  // So large that it is not over before it is refused.
  writeFileSync(`${folder}/holiday.mp4`, Buffer.alloc(40 << 20));
  await file.setInputFiles(`${folder}/holiday.mp4`);
  await page.getByRole("alert").filter({ hasText: "choose the file that ends in .update" }).waitFor();
  await step("another file is refused in words");

  // As over a slow network: the 5 MiB take 35 s, longer than the steps before they are cancelled.
  const network = await page.context().newCDPSession(page);
  const slow = (/** @type {number} */ bytes) => network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes });
  await slow(150_000);
  await file.setInputFiles(update);
  await page.waitForFunction(() => (document.querySelector("progress")?.value ?? 0) > 0.1);
  assert.ok(Number(await bar.getAttribute("value")) < 1);
  await page.getByText(/^\d+ % of \d+ MiB$/).waitFor();
  await step("how much has left is told");
  // It goes on while one looks at something else.
  await page.getByRole("link", { name: "Site", exact: true }).click();
  await page.getByLabel("Site name").waitFor();
  await page.getByRole("link", { name: "System", exact: true }).click();
  await bar.waitFor();
  const cancel = page.getByRole("button", { name: "Cancel" });
  assert.ok(await cancel.evaluate((button) => button === document.activeElement), "the focus is lost");
  await page.keyboard.press("Enter");
  await bar.waitFor({ state: "detached" });
  await file.waitFor();
  await tell("cancelled");

  await slow(-1);
  await file.setInputFiles(update);
  await status("Perch is checking the update");
  await tell("sent");
  await step("it is being installed");
  await page.reload();
  await status("Perch is checking the update");
  assert.equal(await file.count(), 0);
  await tell("reloaded");
  await status("the board is about to restart");
  await tell("restarts");
  await status("does not answer for a minute or two");
  assert.equal(await page.getByRole("alert").filter({ hasText: /./ }).count(), 0, "an alarm for what is as it should be");
  await step("the board restarts");
  await tell("waits");
  await status("is testing it");
  await tell("tried");
  await status(/installed and works: this is now Perch \d+\.\d+\.\d+/);
  await page.getByRole("button", { name: "Reload this page" }).waitFor();
  assert.equal(await page.getByRole("alert").filter({ hasText: /./ }).count(), 0, "an alarm for what is over");
  await step("it is kept");
  await page.getByRole("button", { name: "Reload this page" }).click();
  await status("installed and works");
  await tell("kept");
  await page.getByRole("alert").filter({ hasText: "nothing was changed. The file is damaged." }).waitFor();
  await step("it is refused");
  await tell("refused");
  await page.getByRole("alert").filter({ hasText: "the board has returned to the previous one" }).waitFor();
  await tell("left");
}
