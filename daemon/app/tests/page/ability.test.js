// What the page offers of a camera (webui/site/ability.js).

import assert from "node:assert/strict";
import { test } from "node:test";
import { bitratesOf, nearest, sizesOf } from "../../../../webui/site/ability.js";

const ability = {
  modes: [{ width: 1280, height: 720, frames_per_second: [30, 10] }, { width: 640, height: 360, frames_per_second: [30, 15, 5] }],
  bitrate_kbps: { min: 100, max: 4000 },
};

test("sizes and rates stand from small to large", () => {
  assert.deepEqual(sizesOf(ability), [{ width: 640, height: 360, rates: [5, 15, 30] }, { width: 1280, height: 720, rates: [10, 30] }]);
});

test("no bitrate is offered that the encoder does not take, and one suits the picture", () => {
  const { choices, recommended } = bitratesOf(ability, { width: 1280, height: 720, fps: 30 });
  assert.ok(choices.every((rate) => rate >= 100 && rate <= 4000), String(choices));
  assert.deepEqual([choices[0], choices.at(-1), recommended], [100, 4000, 2500]);
  assert.equal(bitratesOf({ ...ability, bitrate_kbps: { min: 8000, max: 8000 } }, { width: 640, height: 360, fps: 30 }).recommended, 8000);
});

test("the nearest choice is taken", () => {
  assert.equal(nearest([5, 15, 30], 25), 30);
  assert.equal(nearest([], 25), 25);
});
