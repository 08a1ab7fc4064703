// Looks in Chromium at a login whose renewal is lost: the answer never comes, and the tab that asked is closed. Another tab goes on with the login, and
// does not wait long for the closed one. Ends with an error at the first step that does not come out; says what the page complained of as JSON.
//
//   node renewal.js ADDRESS USERNAME PASSWORD

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";

const [address, username, password] = process.argv.slice(2);

const browser = await start(100_000);
const complaints = [];
let renewals = 0;
try {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  context.on("page", (page) => {
    page.setDefaultTimeout(30_000);
    page.on("console", (message) => ["warning", "error"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });
  const [closed, open] = [await context.newPage(), await context.newPage()];
  await closed.goto(`${address}/login`);
  await closed.getByLabel("Username").fill(username);
  await closed.getByLabel("Password").fill(password);
  await closed.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  const menu = (/** @type {import("playwright-core").Page} */ page) => page.getByRole("button", { name: /^Menu of/ });
  await menu(closed).waitFor();

  // The daemon gets the request, and the browser no answer.
  const before = await context.cookies();
  const asked = new Promise((done) => {
    closed.route("**/api/v1/auth/refresh", async (route) => {
      renewals++;
      const answer = await route.fetch();
      assert.equal(answer.status(), 200);
      await context.clearCookies();
      await context.addCookies(before);
      done(null);
    });
  });
  await closed.evaluate(() => {
    const login = JSON.parse(localStorage.getItem("perch.login") ?? "null");
    localStorage.setItem("perch.login", JSON.stringify({ ...login, until: 0 }));
  });
  void closed.reload().catch(() => {});
  await asked;

  open.on("request", (request) => void (request.url().endsWith("/auth/refresh") && renewals++));
  await open.goto(address);
  await closed.close();
  await menu(open).waitFor({ timeout: 10_000 });
  const { until } = JSON.parse(await open.evaluate(() => localStorage.getItem("perch.login") ?? "null"));
  assert.ok(until > Date.now(), "the login is renewed");
} finally {
  await browser.close();
}
console.log(JSON.stringify({ complaints, renewals }));
