// The owner's backups in Chromium: downloads one, changes the site, and goes back to it. Finds everything as a screen reader would, by role and
// name. Ends with an error at the first step that does not come out; says what it has seen as JSON.
//
//   node backup.js ADDRESS USERNAME PASSWORD FOLDER
//
// Leaves a picture of every screen in FOLDER, on a desktop and on a phone, and has axe look at each.

import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { start } from "./chromium.js";
import { DESKTOP, lookAround } from "./looks.js";

const [address, username, password, folder] = process.argv.slice(2);

const browser = await start(110_000);
const report = { complaints: [], steps: [] };

try {
  const page = await (await browser.newContext({ viewport: DESKTOP })).newPage();
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && report.complaints.push(message.text()));
  page.on("pageerror", (error) => report.complaints.push(String(error)));

  const step = async (name) => {
    report.steps.push(name);
    await lookAround(page, name, `${folder}/backup-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
  };
  const button = (name) => page.getByRole("button", { name, exact: true });
  const logIn = async () => {
    await page.getByLabel("Username").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("button", { name: /^Menu of/ }).waitFor();
  };
  const file = page.getByLabel("Restore from a backup: choose the file");
  /** What the daemon refuses is told by the browser, too. */
  const refused = async (status) => {
    assert.equal(report.complaints.filter((words) => !words.includes(`status of ${status}`)).length, 0, String(report.complaints));
    report.complaints.length = 0;
  };

  await page.goto(`${address}/login?to=/settings/backup`);
  await logIn();
  await page.getByRole("heading", { name: "Make a backup" }).waitFor();
  await step("the owner finds backups in the settings");

  await button("Download a backup…").click();
  await page.getByLabel("Password").fill("not my password");
  await button("Download").click();
  await page.getByText("This is not your password").waitFor();
  await refused(403);
  await page.getByLabel("Password").fill(password);
  const coming = page.waitForEvent("download");
  await button("Download").click();
  const download = await coming;
  assert.match(download.suggestedFilename(), /^perch-\d{4}-\d\d-\d\d\.backup$/);
  const backup = `${folder}/${download.suggestedFilename()}`;
  await download.saveAs(backup);
  await page.getByRole("dialog").waitFor({ state: "detached" });

  const name = async (words) => {
    await page.getByRole("link", { name: "Site", exact: true }).click();
    await page.getByLabel("Site name").fill(words);
    await button("Save").click();
    await page.getByText("Saved.").waitFor();
    await page.getByRole("link", { name: "Backup", exact: true }).click();
  };
  await name("A name to be lost");

  writeFileSync(`${folder}/cut.backup`, readFileSync(backup).subarray(0, 9000));
  await file.setInputFiles(`${folder}/cut.backup`);
  await page.getByRole("alert").filter({ hasText: "damaged or incomplete" }).waitFor();
  await step("a file that is none is refused in words");
  await refused(422);

  await file.setInputFiles(backup);
  await page.getByRole("dialog").getByText("1 account, 0 streams").waitFor();
  await page.getByLabel("Your current password").fill("not my password");
  await button("Restore").click();
  await page.getByText("This is not your password").waitFor();
  await step("what is in it and what is lost is said before");
  await refused(403);
  await button("Cancel").click();
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await file.setInputFiles(backup);
  await page.getByLabel("Your current password").fill(password);
  await button("Restore").click();
  await page.getByText("The backup is restored.").waitFor();
  assert.equal(new URL(page.url()).pathname, "/login");
  await step("everybody has to log in again");
  await logIn();
  await page.goto(`${address}/settings/site`);
  await page.waitForFunction(() => document.querySelector("input[name=site_name]")?.value === "Perch");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
