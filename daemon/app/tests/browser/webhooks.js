// Webhooks on the page, in Chromium. Finds everything as a screen reader would, by role and name. Ends with an error at the first step that does not
// come out; says what it has seen as JSON.
//
//   node webhooks.js ADDRESS USERNAME PASSWORD FOLDER
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
    await lookAround(page, name, `${folder}/webhooks-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
  };
  const button = (name) => page.getByRole("button", { name, exact: true });
  const toast = (words) => page.locator(".toasts").getByText(words).waitFor();
  await page.goto(`${address}/login?to=/settings/webhooks`);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await button("New webhook").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("ftp://example.org/");
  await button("Add").click();
  await dialog.getByText(/must begin with http/i).waitFor();
  await step("what is wrong with an address is said");
  await dialog.getByLabel("Address").fill("http://localhost:9/hook");
  await dialog.getByRole("switch", { name: "The card is nearly full" }).check();
  await button("Add").click();
  const secret = await dialog.getByLabel("Secret", { exact: true }).inputValue();
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  await step("its secret is shown once");
  await button("Done").click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await page.content()).includes(secret), false);
  const listed = page.getByRole("listitem").filter({ hasText: "localhost:9" });
  await listed.getByText("A stream starts, A stream ends, The card is nearly full").waitFor();

  await button("Deliveries to localhost:9").click();
  await dialog.getByText("Nothing yet.").waitFor();
  await button("Send a test").click();
  await dialog.getByText(/an address of this board itself.*Next try in/).waitFor();
  await step("a test that goes nowhere says why");
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
  await dialog.waitFor({ state: "detached" });

  await button("Change localhost:9").click();
  await dialog.getByRole("switch", { name: "Switched on" }).uncheck();
  await button("Save").click();
  await dialog.waitFor({ state: "detached" });
  await listed.getByText("Off", { exact: true }).waitFor();
  await step("it is switched off");
  await button("Delete localhost:9").click();
  await button("Delete webhook").click();
  await dialog.waitFor({ state: "detached" });
  await listed.waitFor({ state: "detached" });
  await step("it is gone");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
