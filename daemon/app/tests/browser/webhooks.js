// Webhooks on the page, in Chromium. Finds everything as a screen reader would, by role and name. Ends with an error at the first step that does not
// come out; says what it has seen as JSON.
//
//   node webhooks.js ADDRESS USERNAME PASSWORD FOLDER
//
// Leaves a picture of every screen in FOLDER, on a desktop and on a phone, in dark and light, and has axe look at each.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, username, password, folder] = process.argv.slice(2);

// Whatever hangs, the test must not.
setTimeout(() => process.exit(75), 170_000).unref();

const browser = await chromium.launch({
  executablePath: process.env.PERCH_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--mute-audio"],
});
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const report = { complaints: [], steps: [] };
const DESKTOP = { width: 1280, height: 860 };
const PHONE = { width: 360, height: 740 };
const LOOKS = [["desktop-light", DESKTOP, "light"], ["phone-dark", PHONE, "dark"]];
// All of them for somebody who wants to look at them.
if (process.env.PERCH_TEST_PICTURES) LOOKS.push(["phone-light", PHONE, "light"], ["desktop-dark", DESKTOP, "dark"]);

try {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !/status of 422/.test(message.text()) && report.complaints.push(message.text()));
  page.on("pageerror", (error) => report.complaints.push(String(error)));

  const step = async (name) => {
    report.steps.push(name);
    const number = String(report.steps.length).padStart(2, "0");
    for (const [look, viewport, colorScheme] of LOOKS) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, nodes } of violations) report.complaints.push(`${name} (${look}): ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" ")}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > viewport.width) report.complaints.push(`${name}: ${width} pixels wide on ${look}`);
      await page.screenshot({ path: `${folder}/webhooks-${number}-${look}.png`, fullPage: await page.getByRole("dialog").count() === 0 });
    }
    await page.setViewportSize(DESKTOP);
    await page.emulateMedia({ colorScheme: "light" });
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
