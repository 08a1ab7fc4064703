// A player's sound: what the user chose is kept, what the browser forces is not.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** @type {Map<string, string>} */
const kept = new Map();
globalThis.localStorage = /** @type {any} */ ({ getItem: (/** @type {string} */ key) => kept.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value) });
const { Sound, soundChoice } = await import("../../../../webui/site/sound.js");

/** As browsers do it, but at once. */
class Video extends EventTarget {
  #muted = false;
  #volume = 1;
  get muted() { return this.#muted; }
  set muted(value) { this.#change(() => (this.#muted = value), value !== this.#muted); }
  get volume() { return this.#volume; }
  set volume(value) { this.#change(() => (this.#volume = value), value !== this.#volume); }
  /** @param {() => void} change @param {boolean} isOne */
  #change(change, isOne) {
    change();
    if (isOne) this.dispatchEvent(new Event("volumechange"));
  }
}

const sound = (playsByItself = true) => {
  const video = new Video();
  return { video, sound: new Sound(/** @type {any} */ (video), playsByItself) };
};
const key = (/** @type {string} */ name) => /** @type {any} */ ({ key: name, preventDefault() {} });

beforeEach(() => kept.clear());

test("a stream begins muted, a recording that is started does not, and neither is a choice", () => {
  assert.equal(sound().video.muted, true);
  assert.equal(sound(false).video.muted, false);
  assert.deepEqual(soundChoice(), { muted: null, volume: 1 });
});

test("an unmuted stream is unmuted again next time, as loud as it was", () => {
  const first = sound();
  first.sound.toggle();
  first.sound.set(0.4);
  first.sound.close();
  const next = sound();
  assert.deepEqual([next.video.muted, next.video.volume, next.sound.muted.value, next.sound.volume.value], [false, 0.4, false, 0.4]);
  next.sound.toggle();
  assert.deepEqual([sound(false).video.muted, soundChoice().volume], [true, 0.4]);
});

test("a browser that plays only muted changes no choice, and one tap is enough", () => {
  sound().sound.toggle();
  const next = sound();
  next.sound.silence();
  assert.deepEqual([next.video.muted, next.sound.isForced.value, soundChoice().muted], [true, true, false]);
  next.sound.toggle();
  assert.deepEqual([next.video.muted, next.sound.isForced.value], [false, false]);
});

test("who has muted is not asked again", () => {
  const first = sound();
  assert.equal(first.sound.isForced.value, true);
  first.sound.toggle();
  first.sound.toggle();
  assert.deepEqual([first.sound.isForced.value, sound().sound.isForced.value], [false, false]);
});

test("the browser's own controls are heard", () => {
  const { video, sound: own } = sound();
  video.muted = false;
  video.volume = 0.2;
  assert.deepEqual([own.muted.value, own.volume.value, soundChoice().muted, soundChoice().volume], [false, 0.2, false, 0.2]);
});

test("keys mute and change the volume within its bounds", () => {
  const { video, sound: own } = sound();
  own.key(key("m"));
  assert.equal(video.muted, false);
  own.key(key("ArrowUp"));
  assert.equal(video.volume, 1);
  own.key(key("ArrowDown"));
  assert.ok(Math.abs(video.volume - 0.95) < 1e-9);
  for (let n = 0; n < 30; n++) own.key(key("ArrowDown"));
  assert.deepEqual([video.volume, video.muted], [0, true]);
  // The slider is at its lower end: unmuting is heard all the same.
  own.key(key("m"));
  assert.deepEqual([video.volume, video.muted], [0.5, false]);
  own.key({ ...key("m"), ctrlKey: true });
  assert.equal(video.muted, false);
});

test("a foreign value in the storage is none", () => {
  for (const text of ["{", "7", '{"muted":"no","volume":3}']) {
    kept.set("perch.sound", text);
    assert.deepEqual(soundChoice(), { muted: null, volume: 1 });
  }
});
