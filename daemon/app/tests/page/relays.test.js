// What people read about a relay.

import assert from "node:assert/strict";
import { test } from "node:test";
import { relayWords } from "../../../../webui/site/relays.js";

const sent = {
  stream: "1", state: "live", detail: null, retry_in_seconds: null, kbps: 2140, acknowledged_seconds_ago: 1, dropped: 0, dropped_seconds_ago: null,
  connections: 1, sent_bytes: 1,
};

test("a relay that is live says what its server takes, and when it is too slow", () => {
  assert.equal(relayWords(sent), "Live: it takes 2.1 Mbit/s, last confirmed 1 s ago.");
  assert.equal(relayWords({ ...sent, kbps: 140, acknowledged_seconds_ago: 0 }), "Live: it takes 140 kbit/s, last confirmed just now.");
  const slow = { ...sent, dropped: 12, dropped_seconds_ago: 3 };
  assert.equal(relayWords(slow), "Live: it takes 2.1 Mbit/s, last confirmed 1 s ago. Its connection is too slow for the stream: 12 pictures and sounds were left out so far.");
  assert.equal(relayWords({ ...slow, dropped_seconds_ago: 100 }), relayWords(sent));
});

test("a relay that is not live says why, and what it does about it", () => {
  const retrying = { ...sent, state: "retrying", detail: "the server closed the connection", retry_in_seconds: 4 };
  assert.equal(relayWords(retrying), "The server closed the connection. Trying again in 4 s.");
  const refused = { ...retrying, state: "refused", detail: "the server refused the stream: unknown key" };
  assert.equal(relayWords(refused), "The server refused the stream: unknown key. Check the stream key. Trying again in 4 s.");
  assert.equal(relayWords({ ...retrying, retry_in_seconds: 0 }), "The server closed the connection. Trying again now.");
  assert.equal(relayWords({ ...sent, state: "connecting" }), "Connecting.");
});
