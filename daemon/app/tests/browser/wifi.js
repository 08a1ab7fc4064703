// Chooses a network on the screen that a phone shows on a board's access point. Ends with an error at the first step that does not come out; says what
// the page complained of as JSON.
//
//   node wifi.js ADDRESS SETUP_CODE FOLDER
//
// Leaves a picture of each step in FOLDER, and has axe look at it.

import { start } from "./chromium.js";
import { look } from "./looks.js";

const [address, setupCode, folder] = process.argv.slice(2);

const complaints = [];
const browser = await start(100_000);
try {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  /** @param {string} name */
  const step = (name) => look(page, name, `${folder}/wifi-${name}`, complaints);
  await page.goto(`${address}/wifi`);
  await page.getByRole("heading", { name: "Wi-Fi for Perch" }).waitFor();
  await page.getByText("“Home” could not be found").waitFor();
  await page.getByText(setupCode).waitFor();
  if (!(await page.getByRole("radio", { name: "Office" }).isDisabled())) throw new Error("a network that cannot be joined is offered");
  await page.getByRole("radio", { name: "Café \"Perch\"" }).check();
  await page.getByLabel("Network password").fill("short");
  await step("choose");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("alert").filter({ hasText: "8 to 63" }).waitFor();
  // What the daemon refused is told by the browser, too.
  complaints.length = 0;
  await page.getByLabel("Network password").fill("eight \"or\" more");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("heading", { name: "Perch is joining Café \"Perch\"" }).waitFor();
  await page.getByText(/http:\/\/.+\.local/).first().waitFor();
  await page.getByText(setupCode).waitFor();
  await step("joins");
} finally {
  await browser.close();
}
console.log(JSON.stringify({ complaints }));
