// Tokens on the page, in Chromium. Finds everything as a screen reader would, by role and name. Ends with an error at the first step that does not
// come out; says what it has seen as JSON.
//
//   node tokens.js ADDRESS USERNAME PASSWORD FOLDER
//
// Leaves a picture of every screen in FOLDER, on a desktop and on a phone, in dark and light, and has axe look at each.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";
import { DESKTOP, lookAround } from "./looks.js";

const [address, username, password, folder] = process.argv.slice(2);

const browser = await start(170_000);
const report = { complaints: [], steps: [] };

try {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !/status of 422/.test(message.text()) && report.complaints.push(message.text()));
  page.on("pageerror", (error) => report.complaints.push(String(error)));

  const step = async (name) => {
    report.steps.push(name);
    await lookAround(page, name, `${folder}/tokens-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
  };
  const button = (name) => page.getByRole("button", { name, exact: true });
  const toast = (words) => page.locator(".toasts").getByText(words).waitFor();
  /** The status of a request with a token, sent by a program. */
  const asked = async (token) => (await fetch(`${address}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status;

  await page.goto(`${address}/login?to=/settings/security`);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByText("No tokens.").waitFor();
  await step("there are no tokens");

  await button("New token").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("switch", { name: "Read" }).uncheck();
  await dialog.getByLabel("Name").fill("Shelf camera");
  await button("Make token").click();
  await dialog.getByText(/choose at least one/i).waitFor();
  await dialog.getByRole("switch", { name: "Read" }).check();
  await dialog.getByRole("switch", { name: "Go live" }).check();
  await step("a token is described");
  await button("Make token").click();
  const field = dialog.getByLabel("Token", { exact: true });
  await field.waitFor();
  const token = await field.inputValue();
  assert.match(token, /^perch_[0-9a-f]{64}$/);
  assert.equal(await field.getAttribute("type"), "password");
  assert.equal(await asked(token), 200);
  await step("it is shown once");
  await button("Done").click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await page.content()).includes(token), false);
  await page.getByRole("listitem").filter({ hasText: "Shelf camera" }).getByText("Read, Go live").waitFor();

  await button("New token").click();
  await dialog.getByLabel("Name").fill("Kitchen display");
  await dialog.getByLabel("It is for").selectOption("watch");
  assert.equal(await dialog.getByRole("switch").count(), 0);
  await button("Make token").click();
  await dialog.getByLabel("Token", { exact: true }).waitFor();
  await button("Done").click();
  await page.reload();
  const listed = page.getByRole("listitem").filter({ hasText: "Shelf camera" });
  await listed.getByText("last used just now").waitFor();
  await page.getByRole("listitem").filter({ hasText: "Kitchen display" }).getByText("never used").waitFor();
  await button("Revoke Shelf camera").click();
  await step("two tokens, and one is to be revoked");
  await button("Revoke token").click();
  await dialog.waitFor({ state: "detached" });
  await listed.waitFor({ state: "detached" });
  assert.equal(await asked(token), 401);
  await step("the other one is left");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
