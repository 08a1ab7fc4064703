// Walks through the site in Chromium as two people do, from the first run to the end of a stream. Finds everything as a screen
// reader would, by role and name. Ends with an error at the first step that does not come out; says what it has seen as JSON.
//
//   node walk.js ADDRESS SETUP_CODE FOLDER
//
// Leaves a picture of every screen in FOLDER, and has axe look at each for what keeps people out who cannot see it, or not well.

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
  context.on("console", (message) => {
    // hls.js's words for a machine that is busy with everything at once are not the site's.
    if (["warning", "error"].includes(message.type()) && !/player: /.test(message.text())) report.complaints.push(message.text());
  });
  context.on("weberror", (error) => report.complaints.push(String(error.error())));
  context.on("response", (response) => {
    // A stream that has ended is asked for once more by its player, and is gone by then.
    const { pathname } = new URL(response.url());
    if (response.status() >= 400 && !pathname.startsWith("/media/")) report.complaints.push(`${pathname}: ${response.status()}`);
  });
  return context.newPage();
}

/** @param {string} name @param {import("playwright-core").Page} page */
async function step(name, page) {
  report.steps.push(name);
  await look(page, name, `${folder}/${String(report.steps.length).padStart(2, "0")}`, report.complaints);
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const link = (page, name) => page.getByRole("link", { name, exact: true });

/** Waits until the picture moves, and tells its size. */
async function picture(page, width) {
  await page.waitForFunction(
    (wanted) => {
      const video = document.querySelector("video");
      return video && !video.paused && video.currentTime > 0 && (!wanted || video.videoWidth === wanted);
    },
    width,
    { timeout: PATIENCE },
  );
  return page.evaluate(() => [document.querySelector("video").videoWidth, document.querySelector("video").videoHeight]);
}

try {
  const ann = await person({ width: 1280, height: 860 });
  await ann.goto(address);
  await ann.getByRole("heading", { name: "This Perch is not set up yet" }).waitFor();
  await picture(ann);
  await step("the appliance shows its own picture before it is set up", ann);

  await ann.getByRole("main").getByRole("link", { name: "Set up" }).click();
  await ann.getByLabel("Setup code").fill(setupCode);
  await ann.getByLabel("Who can register").selectOption("open");
  await ann.getByLabel("Username").fill("ann");
  await ann.getByLabel("Password").fill("short");
  await button(ann, "Become the owner").click();
  await ann.getByRole("alert").filter({ hasText: /8/ }).waitFor();
  await step("a refusal stands beside its field", ann);
  // What the daemon refused is told by the browser, too.
  report.complaints.length = 0;
  await ann.getByLabel("Password").fill(PASSWORD);
  await button(ann, "Become the owner").click();

  await ann.getByRole("heading", { name: "Go live" }).waitFor();
  await ann.getByLabel("Title").fill("The nest box, morning feeding");
  await ann.getByLabel("Description").fill("Four chicks, five days old.");
  await ann.getByLabel("Nature").check();
  await ann.getByLabel("Size").selectOption("960x540");
  await ann.getByLabel("Frame rate").selectOption("10");
  await step("only what the camera can do is offered", ann);
  await button(ann, "Go live").click();
  await ann.getByRole("heading", { name: "The nest box, morning feeding" }).waitFor();
  assert.deepEqual(await picture(ann, 960), [960, 540]);
  await step("the stream runs with the size that was asked for", ann);
  const stream = new URL(ann.url()).pathname;

  const bob = await person({ width: 360, height: 740 });
  await bob.goto(address);
  await bob.getByRole("link", { name: "The nest box, morning feeding" }).waitFor();
  await step("a stranger finds the live stream", bob);
  await link(bob, "Log in").click();
  await link(bob, "Create an account").click();
  await bob.getByLabel("Username").fill("bob");
  await bob.getByLabel("Password").fill(PASSWORD);
  await button(bob, "Create account").click();
  await bob.getByRole("link", { name: "The nest box, morning feeding" }).click();
  await picture(bob, 960);
  await button(bob, "Follow").click();
  await button(bob, "Following").waitFor();
  await bob.getByRole("button", { name: /^Like/ }).click();
  await bob.getByLabel("Write a message").fill("How many are there?");
  await bob.keyboard.press("Enter");
  await bob.getByRole("log").getByText("How many are there?").waitFor();
  await step("he registers, watches, follows, likes and chats", bob);

  await ann.getByRole("log").getByText("How many are there?").waitFor();
  await ann.getByRole("button", { name: "Like, 1" }).waitFor();
  await ann.getByRole("link", { name: "Notifications, 1 unread" }).waitFor();
  await ann.getByLabel("Write a message").fill("Four. <b>The fifth</b> did not hatch.");
  await button(ann, "Send").click();
  await bob.getByRole("log").getByText("Four. <b>The fifth</b> did not hatch.").waitFor();
  await step("the streamer hears of it at once and answers", ann);

  // Two tabs whose token has ended at the same moment: one renews, both stay logged in.
  const tab = await bob.context().newPage();
  await tab.goto(`${address}/notifications`);
  const renewals = [];
  bob.context().on("request", (request) => request.url().endsWith("/auth/refresh") && renewals.push(request.url()));
  await bob.evaluate(() => {
    const login = JSON.parse(localStorage.getItem("perch.login"));
    localStorage.setItem("perch.login", JSON.stringify({ ...login, until: 0 }));
  });
  await Promise.all([bob.reload(), tab.reload()]);
  for (const page of [bob, tab]) await page.getByRole("button", { name: /^Menu of/ }).waitFor();
  assert.equal(renewals.length, 1, "one tab renews for both");
  await tab.close();
  await bob.getByRole("log").getByText("How many are there?").waitFor();
  assert.equal(await bob.getByRole("log").getByText("How many are there?").count(), 1);
  await step("a login is renewed once for all tabs", bob);

  await button(ann, "Stop").click();
  await button(ann, "Stop the stream").click();
  await ann.getByText("This stream has ended").waitFor();
  await bob.getByText("This stream has ended").waitFor();
  await bob.getByText("How many are there?").waitFor();
  await step("the end reaches everybody, and the chat stays to be read", bob);

  await link(bob, "Discover").click();
  await bob.getByLabel("Show").selectOption("recorded");
  await bob.getByRole("link", { name: "The nest box, morning feeding" }).waitFor();
  await bob.getByLabel("Search streams").fill("chicks nest");
  await bob.getByRole("link", { name: "The nest box, morning feeding" }).waitFor();
  await step("the stream is listed as a past one, and found by a word", bob);

  await bob.getByRole("button", { name: /^Menu of/ }).click();
  await button(bob, "Log out").click();
  await link(bob, "Log in").waitFor();
  await bob.goto(`${address}${stream}`);
  await bob.getByText("This stream has ended").waitFor();
  await step("logged out, he still sees what is public", bob);

  await ann.goto(`${address}/notifications`);
  await ann.getByRole("link", { name: "bob follows you" }).waitFor();
  await step("the streamer reads who follows her", ann);
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
