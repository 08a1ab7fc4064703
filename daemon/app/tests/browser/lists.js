// What the lists of streams offer in Chromium, by who looks at them: nobody, and the people named. What is to be expected is decided by the test that
// starts this (../browser_recordings.rs). Says what it has seen as JSON.
//
//   node lists.js ADDRESS PASSWORD PROFILE USERNAME...

import { start } from "./chromium.js";

const [address, password, profile, ...usernames] = process.argv.slice(2);

const browser = await start(120_000);
const report = { complaints: [], seen: {} };
try {
  for (const username of ["", ...usernames]) {
    const context = await browser.newContext();
    context.setDefaultTimeout(30_000);
    context.on("weberror", (error) => report.complaints.push(String(error.error())));
    context.on("response", (response) => {
      if (response.status() >= 400) report.complaints.push(`${new URL(response.url()).pathname}: ${response.status()}`);
    });
    const page = await context.newPage();
    if (username) {
      await page.goto(`${address}/login`);
      await page.getByLabel("Username").fill(username);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
      await page.getByRole("button", { name: /^Menu of/ }).waitFor();
    }
    report.seen[username] = {};
    for (const [list, path] of Object.entries({ everything: "/", past: "/?show=recorded", profile })) {
      await page.goto(`${address}${path}`);
      await page.locator(".card h3").first().waitFor();
      report.seen[username][list] = await page.locator(".card:not(.to-come)").allInnerTexts();
    }
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
