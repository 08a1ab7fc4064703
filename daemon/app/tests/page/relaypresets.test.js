// Services that streams are sent on to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, freeName, needsHost, PRESETS, presetOf } from "../../../../webui/site/relaypresets.js";

test("a server that somebody runs themselves is asked for, and may be typed in any way", () => {
  const owncast = presetOf("owncast");
  assert.deepEqual([needsHost(owncast), needsHost(presetOf("youtube"))], [true, false]);
  for (const host of ["live.example.org", " https://live.example.org/admin ", "live.example.org:8080", "rtmp://live.example.org:1935/live"]) {
    assert.equal(addressOf(owncast, host), "rtmp://live.example.org:1935/live");
  }
  assert.equal(addressOf(presetOf("youtube"), ""), "rtmps://a.rtmps.youtube.com/live2");
});

test("a relay's name is free", () => {
  assert.equal(freeName("youtube", []), "youtube");
  assert.equal(freeName("youtube", ["youtube"]), "youtube-2");
  assert.equal(freeName("youtube", ["youtube", "youtube-2", "twitch"]), "youtube-3");
  assert.equal(freeName("", [""]), "");
  for (const { name } of PRESETS) assert.match(name, /^[a-z0-9-]*$/);
});

test("an unknown service is any other server", () => assert.equal(presetOf("?").key, "other"));
