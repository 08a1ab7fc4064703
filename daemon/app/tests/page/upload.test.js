// A request that tells how much of it has left, and for the rest is one like any other (webui/site/upload.js, webui/site/api.js).

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

globalThis.addEventListener = () => {};
globalThis.localStorage = { getItem: () => null, setItem: () => {}, removeItem: () => {} };

/** What the browser would do, done by the test. @type {Sent | undefined} */
let last;
class Sent {
  upload = {};
  headers = {};
  open(method, address) {
    this.line = `${method} ${address}`;
  }
  setRequestHeader(name, value) {
    this.headers[name] = value;
  }
  send(body) {
    this.body = body;
    last = this;
  }
  abort() {
    this.onabort();
    this.onloadend();
  }
  getAllResponseHeaders() {
    return this.answered;
  }
  answer(status, responseText, answered = "") {
    Object.assign(this, { status, responseText, answered });
    this.onload();
    this.onloadend();
  }
}
globalThis.XMLHttpRequest = Sent;

const { api, Problem } = await import("../../../../webui/site/api.js");
const FILE = new Blob(["0123456789"]);

/** Begins one; what it has told so far, and what comes of it. */
async function begin(signal = new AbortController().signal) {
  const told = [];
  const done = api.upload("/system/update", FILE, { signal, patience: 1000, onProgress: (sent) => told.push(sent) });
  // What comes of it is asked for later.
  done.catch(() => {});
  await new Promise(setImmediate);
  return { told, done };
}

beforeEach(() => (last = undefined));

test("it is told how much has left, and that all is well", async () => {
  const { told, done } = await begin();
  assert.equal(last.line, "PUT /api/v1/system/update");
  assert.deepEqual([last.headers, last.body.size], [{ "content-type": "application/octet-stream" }, 10]);
  last.upload.onprogress({ loaded: 4 });
  last.upload.onprogress({ loaded: 10 });
  last.answer(202, "");
  assert.equal(await done, undefined);
  assert.deepEqual(told, [4, 10]);
});

test("what is refused is told in the daemon's words", async () => {
  const { done } = await begin();
  last.answer(409, JSON.stringify({ code: "on_air", detail: "a stream is on the air" }), "content-type: application/problem+json\r\nx: a: b\r\n");
  await assert.rejects(done, (thrown) => thrown instanceof Problem && thrown.code === "on_air" && thrown.message === "A stream is on the air.");
});

test("that it broke off is told in ours", async () => {
  const { done } = await begin();
  last.onerror();
  await assert.rejects(done, (thrown) => thrown instanceof Problem && thrown.code === "no_answer" && thrown.message.startsWith("The upload was interrupted"));
});

test("who gives up is told nothing", async () => {
  const gaveUp = new AbortController();
  const { done } = await begin(gaveUp.signal);
  gaveUp.abort();
  await assert.rejects(done, (thrown) => !(thrown instanceof Problem) && thrown.name === "AbortError");
});

test("who has given up before sends nothing", async () => {
  const { done } = await begin(AbortSignal.abort());
  await assert.rejects(done, (thrown) => thrown.name === "AbortError");
  assert.equal(last, undefined);
});
