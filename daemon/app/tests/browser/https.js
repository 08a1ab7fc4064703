// HTTPS with Perch's own authority, in Chromium. Finds everything as a screen reader would, by role and name. Ends with an error at the first step that does
// not come out; says what it has seen as JSON.
//
//   node https.js ADDRESS USERNAME PASSWORD HOME FOLDER
//
// ADDRESS is that of HTTP, at localhost. HOME is an empty folder: the home of a browser, and of the certificates that it trusts. Leaves pictures in FOLDER.

import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { start } from "./chromium.js";
import { DESKTOP, lookAround } from "./looks.js";

const [address, username, password, home, folder] = process.argv.slice(2);

/** A browser with a home of its own. @param {string} home */
const launch = (home) => start(170_000, ["--autoplay-policy=no-user-gesture-required"], { env: { ...process.env, HOME: home, XDG_CONFIG_HOME: `${home}/.config`, XDG_DATA_HOME: `${home}/.local/share` } });
const report = { complaints: [], steps: [], untrusted: "", protocol: "", seconds: 0, cookies: [], insecure: [] };

/** A page whose complaints are reported. @param {import("playwright-core").Browser} browser */
async function open(browser) {
  const page = await browser.newPage({ viewport: DESKTOP });
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !/player: |ERR_CERT/.test(message.text()) && report.complaints.push(message.text()));
  page.on("pageerror", (error) => report.complaints.push(String(error)));
  return page;
}

async function step(page, name) {
  report.steps.push(name);
  await lookAround(page, name, `${folder}/https-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
}

async function logIn(page, at, to) {
  await page.goto(`${at}/login?to=${to}`);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
}

// One that trusts nothing, and one that will.
const [stranger, friend] = [`${home}/stranger`, `${home}/friend`];
let browser = await launch(stranger);
let secure = "";
try {
  const page = await open(browser);
  await page.goto(`${address}/trust`);
  await page.getByText("HTTPS is off on this Perch.").waitFor();
  await logIn(page, address, "/settings/https");
  const on = page.getByRole("button", { name: "Switch HTTPS on", exact: true });
  await on.waitFor();
  await step(page, "the owner finds HTTPS switched off");
  await on.click();
  const shown = page.getByRole("textbox", { name: "Secure address" });
  await shown.waitFor();
  // In this test the port is any, and known once it is bound.
  while (new URL(await shown.inputValue()).port === "0") {
    await page.reload();
    await shown.waitFor();
  }
  const port = new URL(await shown.inputValue()).port;
  secure = `https://localhost:${port}`;
  const code = page.getByRole("img", { name: /^Code with the address http:/ });
  await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, await code.elementHandle());
  await step(page, "it is on, with a code for phones");

  await page.goto(`${address}/trust`);
  await page.getByText("Linux and ChromeOS").waitFor();
  for (const device of ["iPhone and iPad", "Android", "Mac", "Windows", "Firefox on a computer"]) await page.getByText(device, { exact: true }).click();
  await step(page, "what to do on each device");
  const certificate = await page.evaluate(async () => [...new Uint8Array(await (await fetch("/api/v1/https/authority.crt")).arrayBuffer())]);
  writeFileSync(`${home}/perch.crt`, Buffer.from(certificate));
  report.untrusted = await page.goto(secure).then(() => "", (error) => /net::\w+/.exec(String(error))?.[0] ?? String(error));
} finally {
  await browser.close();
}

// What its settings do.
for (const database of [`${friend}/.pki/nssdb`, `${friend}/.local/share/pki/nssdb`]) {
  mkdirSync(database, { recursive: true });
  execFileSync("certutil", ["-d", `sql:${database}`, "-N", "--empty-password"]);
  execFileSync("certutil", ["-d", `sql:${database}`, "-A", "-t", "C,,", "-n", "Perch", "-i", `${home}/perch.crt`]);
}

browser = await launch(friend);
try {
  const page = await open(browser);
  const response = await page.goto(secure);
  assert.equal(response?.status(), 200);
  assert.equal((await response?.securityDetails())?.protocol, "TLS 1.3");
  report.protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
  assert.equal(await page.evaluate(() => isSecureContext), true);
  await logIn(page, secure, "/");
  await page.waitForURL(`${secure}/`);
  const id = await page.evaluate(async () => {
    const begun = await fetch("/api/v1/streams", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title: "The pond", camera: "front" }) });
    return (await begun.json()).id;
  });
  await page.goto(`${secure}/watch/${id}`);
  await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 4 && !document.querySelector("video")?.paused);
  report.seconds = await page.evaluate(() => document.querySelector("video")?.currentTime ?? 0);
  const line = page.getByLabel("Write a message");
  await line.fill("Hello over TLS");
  await line.press("Enter");
  await page.getByRole("log").getByText("Hello over TLS").waitFor();
  await step(page, "a live stream and its chat over HTTPS");
  for (const { name, secure } of await page.context().cookies()) {
    report.cookies.push(name);
    if (!secure) report.insecure.push(name);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
