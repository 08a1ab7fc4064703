// Numbers, times and devices in words (webui/site/words.js).

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.addEventListener = () => {};
globalThis.document = { addEventListener() {}, hidden: true };
globalThis.location = { pathname: "/live" };
globalThis.fetch = async () => ({ ok: true, json: async () => ({}) });
const { asClock, asDevice, asDuration, barredWords, waitingWords } = await import("../../../../webui/site/words.js");
const { inWords } = await import("../../../../webui/site/notifications.js");
const { me } = await import("../../../../webui/site/session.js");

test("a stream without pictures names what it waits for", () => {
  const words = (camera, state) => waitingWords({ camera, state });
  assert.equal(words("front", "starting"), "Starting the camera");
  assert.equal(words("front", "interrupted"), "Waiting for the camera");
  assert.equal(words("ingest:01M8HX", "interrupted"), "Waiting for the program that sends this stream");
});

test("times into a stream read as on a clock", () => {
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 36_061, -5].map(asClock), ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01", "0:00"]);
});

test("durations are told roughly", () => {
  assert.deepEqual([12, 600, 7200, 200_000].map(asDuration), ["12 s", "10 min", "2 h", "2 days"]);
});

test("a login is told by browser and machine", () => {
  for (const [label, words] of [
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 from 127.0.0.1", "Chrome on Linux from 127.0.0.1"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1 from fd00::7", "Safari on iPhone from fd00::7"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"],
    ["curl/8.5.0 from 192.0.2.7", "curl/8.5.0 from 192.0.2.7"],
    ["", "A browser or program"],
  ]) {
    assert.equal(asDevice(label), words);
  }
});

test("a notification of a recording says whose it is, and why it paused", () => {
  const news = { kind: "recording_paused", by: { username: "ann", full_name: "Ann Ex" }, stream: { id: "S", title: "Owls" }, reason: "no_room" };
  assert.deepEqual(inWords(news), {
    words: "Ann Ex: “Owls” is not being recorded: there is no room left on the card. The stream itself goes on.",
    to: "/watch/S",
  });
  me.value = { username: "ann" };
  assert.match(inWords({ ...news, reason: "missing" }).words, /^“Owls” is not being recorded: the disk for recordings is missing\./);
  assert.equal(inWords({ ...news, kind: "recording_went_on", reason: null }).words, "“Owls” is being recorded again");
});

test("who is muted or banned reads where and until when", () => {
  const words = (more) => barredWords({ severity: "mute", scope: "stream", until: "2026-11-29T10:05:00Z", ...more });
  assert.match(words({}), /^You are muted in the chat of this stream until .*2026.*\d:05.*\.$/);
  assert.match(words({ severity: "ban", scope: "chats" }), /^You are banned from all chats of this streamer until .*2026/);
  assert.equal(words({ scope: "everywhere", until: null }), "You are muted in all chats of this site until the owner of this site lifts it.");
});
