// Uses the site behind a proxy, in Chromium: set up, go live, watch, chat, be notified, log in. Ends with an error at the first step
// that does not come out; prints what it has seen as JSON.
//
//   node behind_proxy.js ORIGIN PATH SETUP_CODE
//
// ORIGIN's host is taken to be this machine, whatever its name, and its certificate to be good. Reports every request outside PATH,
// the cookies, and how many lines came over WebSockets.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";

const [origin, path, setupCode] = process.argv.slice(2);
const PASSWORD = "correct horse battery";

const { hostname } = new URL(origin);
const browser = await start(120_000, [`--host-resolver-rules=MAP ${hostname} 127.0.0.1`]);
const report = { complaints: [], outside: [], steps: [], cookies: [], lines: 0 };
const step = (name) => report.steps.push(name);

try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ignoreHTTPSErrors: true });
  context.setDefaultTimeout(30_000);
  // On a busy machine Perch says 503, and the page asks again.
  context.on("console", (message) => ["warning", "error"].includes(message.type()) && !/player: |status of 503/.test(message.text()) && report.complaints.push(message.text()));
  context.on("weberror", (error) => report.complaints.push(String(error.error())));
  context.on("request", (request) => {
    const { origin: to, pathname, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && (to !== origin || !pathname.startsWith(path))) report.outside.push(request.url());
  });
  const page = await context.newPage();
  page.on("websocket", (socket) => {
    if (!new URL(socket.url()).pathname.startsWith(path)) report.outside.push(socket.url());
    socket.on("framereceived", () => report.lines++);
  });
  const button = (name) => page.getByRole("button", { name, exact: true });
  const plays = () => page.waitForFunction(() => {
    const video = document.querySelector("video");
    return video && !video.paused && video.currentTime > 0;
  });

  await page.goto(`${origin}${path}`);
  await page.getByRole("main").getByRole("link", { name: "Set up" }).click();
  assert.equal(new URL(page.url()).pathname, `${path}setup`);
  await page.getByLabel("Setup code").fill(setupCode);
  await page.getByLabel("Username").fill("ann");
  await page.getByLabel("Password").fill(PASSWORD);
  await button("Become the owner").click();
  await page.getByRole("heading", { name: "Go live" }).waitFor();
  step("the site is set up");

  await page.getByLabel("Title").fill("The nest box");
  await button("Go live").click();
  await page.getByRole("heading", { name: "The nest box" }).waitFor();
  assert.match(new URL(page.url()).pathname, new RegExp(`^${path}watch/[0-9A-Z]{26}$`));
  await plays();
  step("the stream plays");

  await page.getByLabel("Write a message").fill("Hello");
  await button("Send").click();
  await page.getByRole("log").getByText("Hello").waitFor();
  step("the chat answers");

  await page.reload();
  await plays();
  await page.getByRole("log").getByText("Hello").waitFor();
  step("its address can be opened again");

  // Somebody else follows her: she hears of it at once.
  await page.evaluate(async ([address, password]) => {
    const account = { username: "bob", password, role: "viewer" };
    await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(account) });
  }, [`${path}api/v1/users`, PASSWORD]);
  const other = await browser.newContext({ ignoreHTTPSErrors: true });
  const bob = await other.newPage();
  await bob.goto(`${origin}${path}login?to=/u/ann`);
  await bob.getByLabel("Username").fill("bob");
  await bob.getByLabel("Password").fill(PASSWORD);
  await bob.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await bob.getByRole("button", { name: "Follow", exact: true }).click();
  await page.getByRole("link", { name: "Notifications, 1 unread" }).waitFor();
  await other.close();
  step("a notification comes");

  await page.getByRole("link", { name: "Perch", exact: true }).first().click();
  await page.getByRole("link", { name: "The nest box" }).first().waitFor();
  assert.equal(new URL(page.url()).pathname, path);
  await page.goto(`${origin}${path}settings`);
  await page.getByRole("link", { name: "Password and logins" }).click();
  await page.getByRole("heading", { name: "Password and logins" }).waitFor();
  assert.equal(new URL(page.url()).pathname, `${path}settings/security`);
  await page.goBack();
  await page.waitForURL(`${origin}${path}settings`);
  step("links and the way back stay below the path");

  report.cookies = (await context.cookies()).map(({ name, path: within, secure }) => ({ name, path: within, secure }));
  await page.evaluate(() => localStorage.setItem("perch.login", JSON.stringify({ until: 0, turn: 1 })));
  await page.reload();
  await page.getByLabel("About you").waitFor();
  step("the login is renewed");

  await context.clearCookies();
  await page.evaluate(() => localStorage.removeItem("perch.login"));
  await page.goto(`${origin}${path}login?to=/notifications`);
  await page.getByLabel("Username").fill("ann");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await page.waitForURL(`${origin}${path}notifications`);
  await page.getByRole("heading", { name: "Notifications" }).waitFor();
  step("somebody logs in, and is back where they wanted to be");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
