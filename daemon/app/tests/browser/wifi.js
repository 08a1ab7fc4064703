// Chooses a network on the screen that a phone shows on a board's access point. Ends with an error at the first step that does not come out; says what
// the page complained of as JSON.
//
//   node wifi.js ADDRESS SETUP_CODE FOLDER
//
// Leaves a picture of each step in FOLDER, and has axe look at it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, setupCode, folder] = process.argv.slice(2);

// Whatever hangs, the test must not.
setTimeout(() => process.exit(75), 100_000).unref();

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const complaints = [];
const browser = await chromium.launch({
  executablePath: process.env.PERCH_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
try {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  /** @param {string} name */
  const look = async (name) => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, nodes } of violations) complaints.push(`${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" ")}`);
    await page.screenshot({ path: `${folder}/wifi-${name}.png`, fullPage: true });
  };
  await page.goto(`${address}/wifi`);
  await page.getByRole("heading", { name: "Wi-Fi for Perch" }).waitFor();
  await page.getByText("“Home” could not be found").waitFor();
  await page.getByText(setupCode).waitFor();
  if (!(await page.getByRole("radio", { name: "Office" }).isDisabled())) throw new Error("a network that cannot be joined is offered");
  await page.getByRole("radio", { name: "Café \"Perch\"" }).check();
  await page.getByLabel("Network password").fill("short");
  await look("choose");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("alert").filter({ hasText: "8 to 63" }).waitFor();
  // What the daemon refused is told by the browser, too.
  complaints.length = 0;
  await page.getByLabel("Network password").fill("eight \"or\" more");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("heading", { name: "Perch is joining Café \"Perch\"" }).waitFor();
  await page.getByText(/http:\/\/.+\.local/).first().waitFor();
  await page.getByText(setupCode).waitFor();
  await look("joins");
} finally {
  await browser.close();
}
console.log(JSON.stringify({ complaints }));
