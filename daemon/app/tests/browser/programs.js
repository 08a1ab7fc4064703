// Streaming with other programs and sending streams on, in Chromium. Finds everything as a screen reader would, by role and name. Ends with an error at
// the first step that does not come out; says what it has seen as JSON.
//
//   node programs.js ADDRESS USERNAME PASSWORD RELAY FOLDER
//
// RELAY is the address of a server that never answers. Leaves a picture of every screen in FOLDER, on a desktop and on a phone, in dark and light, and
// has axe look at each.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";
import { DESKTOP, lookAround } from "./looks.js";

const [address, username, password, relay, folder] = process.argv.slice(2);

const browser = await start(170_000);
const report = { complaints: [], steps: [] };

try {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !/player: /.test(message.text()) && report.complaints.push(message.text()));
  page.on("pageerror", (error) => report.complaints.push(String(error)));

  const step = async (name) => {
    report.steps.push(name);
    await lookAround(page, name, `${folder}/programs-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
  };
  const button = (name) => page.getByRole("button", { name, exact: true });
  const toast = (words) => page.locator(".toasts").getByText(words).waitFor();
  const clipboard = () => page.evaluate(async () => {
    const field = document.createElement("textarea");
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.focus();
    document.execCommand("paste");
    const { value } = field;
    field.remove();
    return value;
  });

  await page.goto(`${address}/login?to=/settings/programs`);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  const allowed = page.getByRole("switch", { name: "Let streamers use other programs" });
  await allowed.waitFor();
  assert.equal(await allowed.isChecked(), false);
  assert.equal(await page.getByRole("textbox", { name: "Server" }).count(), 0);
  await step("the owner finds other programs switched off");

  await allowed.check();
  await button("Make a stream key").click();
  const key = await page.getByLabel("Stream key", { exact: true }).inputValue();
  assert.match(key, /^([a-z2-9]{4}-){4}[a-z2-9]{4}$/);
  assert.equal(await page.getByLabel("Stream key", { exact: true }).getAttribute("type"), "password");
  await button("Show stream key").click();
  assert.equal(await page.getByLabel("Stream key", { exact: true }).getAttribute("type"), "text");
  assert.match(await page.getByRole("textbox", { name: "Server" }).inputValue(), /^rtmp:\/\/127\.0\.0\.1:\d+\/live$/);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await button("Copy stream key").click();
  await toast("Copied.");
  const copied = await page.evaluate(() => navigator.clipboard.readText()).catch(clipboard);
  assert.equal(copied, key);
  await page.getByText("Larix Broadcaster on a phone").click();
  const code = page.getByRole("img", { name: "Code with the server and your stream key" });
  await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, await code.elementHandle());
  await page.getByText("OBS Studio").click();
  await step("a key, and how programs are told");

  await page.getByLabel("Title").fill("The pond at night");
  await page.getByLabel("Nature").check();
  await button("Save").click();
  await toast("Saved. Your next stream begins with this.");
  await button("New key…").click();
  await step("a new key is asked about");
  await button("Make a new key").click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.notEqual(await page.getByLabel("Stream key", { exact: true }).inputValue(), key);
  await page.reload();
  await page.waitForFunction(() => document.querySelector("input[name=title]")?.value === "The pond at night");

  await page.getByRole("link", { name: "Relays", exact: true }).click();
  await button("New relay").click();
  assert.equal(await page.getByLabel("Address").inputValue(), "rtmps://a.rtmps.youtube.com/live2");
  await step("a service fills its address in, and says where its key is");
  await page.getByLabel("Service").selectOption("twitch");
  await page.getByLabel("Stream key").fill("live_secret");
  await button("Add").click();
  await page.getByRole("listitem").filter({ hasText: "twitch" }).waitFor();
  await button("New relay").click();
  await page.getByLabel("Service").selectOption("owncast");
  await page.getByRole("textbox", { name: "Server" }).fill("https://live.example.org/admin");
  await page.getByLabel("Stream key").fill("secret");
  await button("Add").click();
  await page.getByText("rtmp://live.example.org/live").waitFor();
  await button("New relay").click();
  await page.getByLabel("Service").selectOption("other");
  await page.getByLabel("Name").fill("mirror");
  await page.getByLabel("Address").fill(relay);
  await page.getByLabel("Stream key").fill("secret");
  await page.getByRole("switch", { name: "front" }).check();
  await button("Add").click();
  await page.getByText("By default for front").waitFor();
  assert.equal((await page.content()).includes("live_secret"), false);
  await step("three relays, one of them by default");

  await page.goto(`${address}/live`);
  await page.getByLabel("Title").fill("The nest box");
  const preselected = (name) => page.getByRole("switch", { name, exact: true });
  await page.waitForFunction(() => [...document.querySelectorAll("input[role=switch]")].some((one) => one.labels[0].textContent === "mirror" && one.checked));
  assert.equal(await preselected("twitch").isChecked(), false);
  await page.getByText("The camera has no sound.").first().waitFor();
  await preselected("twitch").check();
  await page.getByLabel("Bitrate").selectOption({ index: (await page.getByLabel("Bitrate").locator("option").count()) - 1 });
  await step("what the servers will refuse is said before");
  await preselected("twitch").uncheck();
  await page.getByLabel("Bitrate").selectOption({ index: 0 });
  await button("Go live").click();
  await page.getByRole("heading", { name: "The nest box" }).waitFor();

  await page.goto(`${address}/live`);
  await page.getByRole("heading", { name: "You are live" }).waitFor();
  const sent = page.getByRole("region", { name: "Relays" });
  // It never answers: no relay is called live that takes nothing.
  await sent.getByText(/Trying again|Before:/).waitFor();
  assert.equal(await sent.getByText(/^Live/).count(), 0);
  await step("the streamer sees how each relay is doing");
  await sent.getByRole("switch", { name: "mirror" }).uncheck();
  await sent.getByRole("listitem").filter({ hasText: "mirror" }).getByText("Off.").waitFor();
  await sent.getByRole("switch", { name: "owncast" }).check();
  await sent.getByRole("listitem").filter({ hasText: "owncast" }).getByText(/Connecting|Trying again|Before:/).waitFor();
  await step("one is switched off and another on while the stream runs");

  await page.goto(`${address}/settings/relays`);
  await page.getByRole("listitem").filter({ hasText: "owncast" }).getByText(/Connecting|Trying again|Before:/).waitFor();
  await step("the owner sees it, too");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
