// Looks in Chromium, as the owner, at a camera that is live and that most browsers do not play: the way out stands beside the stream that runs, and in the
// settings. Ends with an error at the first step that does not come out; says what the page complained of as JSON.
//
//   node advice.js ADDRESS USERNAME PASSWORD STREAM WORDS
//
// STREAM is the owner's own; WORDS stand in the advice.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";

const [address, username, password, stream, words] = process.argv.slice(2);

const browser = await start(100_000);
const complaints = [];
try {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  page.setDefaultTimeout(30_000);
  // That this browser does not play the picture is what the advice is about.
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !/player: /.test(message.text()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const advice = () => page.getByRole("status").filter({ hasText: words });

  await page.goto(`${address}/login?to=/settings/cameras`);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("article").filter({ hasText: "chroma" }).getByText(words).waitFor();

  await page.goto(`${address}/live`);
  await page.getByRole("heading", { name: "You are live" }).waitFor();
  await advice().waitFor();

  // A viewer can do nothing about it, and is not told.
  await page.context().clearCookies();
  await page.evaluate(() => localStorage.clear());
  await page.goto(`${address}/watch/${stream}`);
  await page.getByRole("heading", { name: "Owls" }).waitFor();
  assert.equal(await page.getByText(words).count(), 0);
} finally {
  await browser.close();
}
console.log(JSON.stringify({ complaints }));
