// An owner and two people who want to join, in Chromium. Finds everything as a screen reader would, by role and name. Ends with an
// error at the first step that does not come out; says what it has seen as JSON.
//
//   node people.js ADDRESS SETUP_CODE FOLDER
//
// Leaves a picture of every screen in FOLDER, and has axe look at each.

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";
import { look } from "./looks.js";

const [address, setupCode, folder] = process.argv.slice(2);
const PATIENCE = 30_000;
const PASSWORD = "correct horse battery";

const browser = await start(170_000);
const report = { complaints: [], steps: [] };

/** A person with a browser of their own. */
async function person(viewport) {
  const context = await browser.newContext({ viewport });
  context.setDefaultTimeout(PATIENCE);
  context.on("weberror", (error) => report.complaints.push(String(error.error())));
  return context.newPage();
}

/** @param {string} name @param {import("playwright-core").Page} page */
async function step(name, page) {
  report.steps.push(name);
  await look(page, name, `${folder}/people-${String(report.steps.length).padStart(2, "0")}`, report.complaints);
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const link = (page, name) => page.getByRole("link", { name, exact: true });
const told = (page, words) => page.getByRole("status").filter({ hasText: words });

/** @param {import("playwright-core").Page} page @param {string} username @param {string} submit */
async function credentials(page, username, submit) {
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, submit).click();
}

/** Opens the dialog for the message and mutes or bans its writer. */
async function restrict(page, { what, where, howLong, submit }) {
  await page.getByRole("button", { name: "Actions for the message from bob" }).first().click();
  await page.getByLabel("What").selectOption(what);
  await page.getByLabel("Where").selectOption(where);
  await page.getByLabel("How long").selectOption(howLong);
  await step(`${submit}: the dialog says where and for how long`, page);
  await button(page, submit).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** Lifts the restrictions that the page lists, until there are none. */
async function liftAll(page) {
  const lifts = page.getByRole("button", { name: /^Lift: bob is/ });
  await lifts.first().waitFor();
  while ((await lifts.count()) > 0) {
    const before = await lifts.count();
    await lifts.first().click();
    await page.waitForFunction((count) => document.querySelectorAll('button[aria-label^="Lift: bob is"]').length < count, before, { timeout: PATIENCE });
  }
}

try {
  // A stranger before there is an owner.
  const bob = await person({ width: 390, height: 780 });
  await bob.goto(`${address}/register`);
  await bob.getByRole("heading", { name: "This Perch is not set up yet" }).waitFor();
  await step("nobody registers before there is an owner", bob);

  const ann = await person({ width: 1280, height: 860 });
  await ann.goto(`${address}/setup`);
  await ann.getByLabel("Setup code").fill(setupCode);
  const who = ann.getByLabel("Who can register");
  assert.equal(await who.inputValue(), "approval");
  assert.deepEqual(await who.getByRole("option").allInnerTexts(), ["Everyone, after my approval", "Nobody: I create the accounts", "Everyone on the network, at once"]);
  await step("set-up asks who may register, and proposes approval", ann);
  await credentials(ann, "ann", "Become the owner");
  await ann.getByRole("heading", { name: "Go live" }).waitFor();

  await bob.goto(`${address}/register`);
  await bob.getByText("The owner of this site has to approve new accounts.").waitFor();
  await credentials(bob, "bob", "Create account");
  await told(bob, "waits for the approval").waitFor();
  await step("whoever registers reads that the account waits", bob);
  await bob.goto(`${address}/login`);
  await credentials(bob, "bob", "Log in");
  await told(bob, "waits for the approval").waitFor();
  await step("and reads it again at the login", bob);
  const cid = await person({ width: 390, height: 780 });
  await cid.goto(`${address}/register`);
  await credentials(cid, "cid", "Create account");
  await told(cid, "waits for the approval").waitFor();

  await ann.getByRole("link", { name: "Notifications, 2 unread" }).click();
  await ann.getByRole("main").getByRole("link", { name: "cid has registered and waits for your approval" }).waitFor();
  await step("the owner is notified of both", ann);
  await ann.getByRole("main").getByRole("link", { name: "bob has registered and waits for your approval" }).click();
  await button(ann, "Approve bob").waitFor();
  await step("the notification leads to those who wait", ann);
  await button(ann, "Approve bob").click();
  await button(ann, "Approve bob").waitFor({ state: "detached" });
  await button(ann, "Refuse cid").click();
  await ann.getByRole("dialog").getByRole("button", { name: "Refuse", exact: true }).click();
  await button(ann, "Refuse cid").waitFor({ state: "detached" });
  await ann.goto(`${address}/notifications`);
  await ann.getByText("Nothing yet.").waitFor();
  await step("what is decided is told no more", ann);

  await cid.goto(`${address}/login`);
  await credentials(cid, "cid", "Log in");
  await cid.getByRole("alert").filter({ hasText: "Wrong username or password" }).waitFor();
  await bob.goto(`${address}/login`);
  await credentials(bob, "bob", "Log in");
  await bob.getByRole("button", { name: /^Menu of/ }).waitFor();
  assert.equal(await link(bob, "Go live").count(), 0, "new accounts are viewers");
  await step("the approved one logs in as a viewer", bob);

  await ann.goto(`${address}/live`);
  await ann.getByLabel("Title").fill("The nest box");
  await button(ann, "Go live").click();
  await ann.getByRole("heading", { name: "The nest box" }).waitFor();
  const stream = new URL(ann.url()).pathname;
  await bob.goto(`${address}${stream}`);
  const write = bob.getByLabel("Write a message");
  await write.fill("First!");
  await bob.keyboard.press("Enter");
  await ann.getByRole("log").getByText("First!").waitFor();

  await restrict(ann, { what: "mute", where: "stream", howLong: "600", submit: "Mute bob" });
  await told(bob, /You are muted in the chat of this stream until .*\d:\d\d/).waitFor();
  await step("the muted person reads until when", bob);
  await ann.goto(`${address}/u/bob`);
  await ann.getByText("muted in the chat of “The nest box” until").waitFor();
  await step("the mute stands in the profile", ann);
  await liftAll(ann);
  await write.waitFor();

  await ann.goto(`${address}${stream}`);
  await restrict(ann, { what: "ban", where: "chats", howLong: "", submit: "Ban bob" });
  await told(bob, "You are banned from all chats of this streamer until the streamer or the owner of this site lifts it.").waitFor();
  await bob.reload();
  await told(bob, "You are banned from all chats of this streamer").waitFor();
  await step("the banned person reads it, also when they come back", bob);

  await button(ann, "Stop").click();
  await button(ann, "Stop the stream").click();
  await ann.getByText("This stream has ended").waitFor();
  await ann.reload();
  await button(ann, "Muted and banned").click();
  await ann.getByRole("dialog").getByText("banned in all chats of ann until lifted").waitFor();
  await step("the replay's chat lists who is banned", ann);
  await bob.reload();
  await told(bob, "You are banned from all chats of this streamer").waitFor();
  await liftAll(ann);
  await ann.getByText("Nobody is muted or banned in this chat.").waitFor();
  await bob.reload();
  await bob.getByText("First!").waitFor();
  await step("lifted from the replay, he reads the chat again", bob);
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
