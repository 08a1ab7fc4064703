// Chats in Chromium behind a proxy that does not pass on WebSockets. Ends with an error at the first step that does not come out;
// prints what it has seen as JSON.
//
//   node chat_events.js ORIGIN STREAM USERNAME PASSWORD

import { strict as assert } from "node:assert";
import { start } from "./chromium.js";

const [origin, stream, username, password] = process.argv.slice(2);

const browser = await start(90_000);
const report = { complaints: [], steps: [] };

try {
  const person = async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    // The browser's own words for the WebSocket that it could not open.
    page.on("console", (message) => message.type() === "error" && !/WebSocket connection to/.test(message.text()) && report.complaints.push(message.text()));
    page.on("pageerror", (error) => report.complaints.push(String(error)));
    return page;
  };
  const detour = (page) => page.getByRole("status").getByText("A proxy in front of this site does not pass on WebSockets. The chat works without them.").waitFor();

  const ann = await person();
  await ann.goto(`${origin}/login?to=/watch/${stream}`);
  await ann.getByLabel("Username").fill(username);
  await ann.getByLabel("Password").fill(password);
  await ann.getByRole("main").getByRole("button", { name: "Log in", exact: true }).click();
  await detour(ann);
  report.steps.push("the page says so in words");

  const guest = await person();
  await guest.goto(`${origin}/watch/${stream}`);
  await detour(guest);
  await ann.getByLabel("Write a message").fill("Hello to all");
  await ann.getByRole("button", { name: "Send", exact: true }).click();
  await guest.getByRole("log").getByText("Hello to all").waitFor();
  await ann.getByRole("log").getByText("Hello to all").waitFor();
  assert.equal(await ann.locator(".waiting-line").count(), 0);
  report.steps.push("what is said is heard");
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
