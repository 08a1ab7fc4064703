// The login is renewed once for all tabs (webui/site/login.js).
// A tab is the module loaded once more, all over one localStorage; the clock is turned by hand.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { forgetTimers, pass } from "./hand_clock.js";

const LOGIN = "perch.login";
/** @type {Map<string, string>} */
const stored = new Map();
/** What is written is seen so much later, milliseconds: browsers keep each tab in a process of its own. */
let lag = 0;
const later = (then) => void (lag ? setTimeout(then, lag) : then());
globalThis.localStorage = {
  getItem: (key) => stored.get(key) ?? null,
  setItem: (key, value) => later(() => stored.set(key, String(value))),
  removeItem: (key) => later(() => stored.delete(key)),
};
const told = [];
/** @type {Map<string, Set<() => void>>} */
const heard = new Map();
globalThis.addEventListener = (type, then) => void heard.set(type, (heard.get(type) ?? new Set()).add(then));
globalThis.removeEventListener = (type, then) => void heard.get(type)?.delete(then);
globalThis.dispatchEvent = (event) => told.push(event.type);

let asked = 0;
let answer = () => Response.json({ expires_in: 900 });
globalThis.fetch = async (address) => {
  assert.equal(address, "/api/v1/auth/refresh");
  asked++;
  return answer();
};

let tabs = 0;
const openTab = () => import(`../../../../webui/site/login.js?tab=${++tabs}`);

beforeEach(() => {
  forgetTimers();
  stored.clear();
  heard.clear();
  told.length = 0;
  asked = 0;
  lag = 0;
  answer = () => Response.json({ expires_in: 900 });
});

test("many tabs that find their token ended ask for one new one", async () => {
  const all = await Promise.all([openTab(), openTab(), openTab(), openTab()]);
  all[0].remember(900);
  await pass(900_000);
  assert.ok(all.every((tab) => tab.wantsRenewal()));
  lag = 50;
  const renewed = Promise.all(all.flatMap((tab) => [tab.renew(), tab.renew(true)]));
  await pass(1000);
  assert.deepEqual(new Set(await renewed), new Set([true]));
  assert.equal(asked, 1);
  assert.ok(all.every((tab) => !tab.wantsRenewal() && tab.isLoggedIn()));
});

test("a token that was refused is renewed, however good it looks", async () => {
  const tab = await openTab();
  tab.remember(900);
  assert.equal(tab.wantsRenewal(), false);
  const renewed = tab.renew(true);
  await pass(1000);
  assert.equal(await renewed, true);
  assert.equal(asked, 1);
});

test("a login that is over is forgotten, and everybody is told", async () => {
  const tab = await openTab();
  tab.remember(0);
  answer = () => Response.json({ code: "token_reused" }, { status: 401 });
  const renewed = tab.renew();
  await pass(1000);
  assert.equal(await renewed, false);
  assert.equal(tab.isLoggedIn(), false);
  assert.deepEqual(told, ["perch-logged-out"]);
});

test("a daemon that is away ends no login", async () => {
  const tab = await openTab();
  tab.remember(0);
  answer = () => Promise.reject(new TypeError("no network"));
  const renewed = tab.renew();
  await pass(1000);
  assert.equal(await renewed, false);
  assert.equal(tab.isLoggedIn(), true);
});

test("a tab that was closed while it renewed does not hold up the others", async () => {
  const tab = await openTab();
  tab.remember(0);
  stored.set("perch.renewing", JSON.stringify({ by: "gone", until: Date.now() + 3_000 }));
  const renewed = tab.renew();
  await pass(2_500);
  assert.equal(asked, 0);
  await pass(1_000);
  assert.equal(await renewed, true);
  assert.equal(asked, 1);
});

test("a tab that is closed while it renews lets the others go on at once", async () => {
  const [closed, open] = await Promise.all([openTab(), openTab()]);
  closed.remember(0);
  const unanswered = answer;
  answer = () => new Promise(() => {});
  void closed.renew();
  await pass(500);
  const renewed = open.renew();
  await pass(500);
  assert.equal(asked, 1);
  answer = unanswered;
  for (const then of heard.get("pagehide") ?? []) then();
  await pass(500);
  assert.equal(await renewed, true);
  assert.equal(asked, 2);
});

test("a renewal that ends late does not take another tab's lease away", async () => {
  const tab = await openTab();
  tab.remember(0);
  let answered = (/** @type {Response} */ _) => {};
  answer = () => new Promise((done) => { answered = done; });
  const renewed = tab.renew();
  await pass(4_000);
  const theirs = JSON.stringify({ by: "another", until: Date.now() + 3_000 });
  stored.set("perch.renewing", theirs);
  answered(Response.json({ expires_in: 900 }));
  await pass(100);
  assert.equal(await renewed, true);
  assert.equal(stored.get("perch.renewing"), theirs);
});

test("words of somebody else under our name are as no login", async () => {
  const tab = await openTab();
  stored.set(LOGIN, "{not json");
  assert.equal(tab.isLoggedIn(), false);
  assert.equal(tab.wantsRenewal(), false);
});
