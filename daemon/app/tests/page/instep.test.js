// Which second of a stream belongs to which second of its recording.

import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { offsetAt, positionAt } from "../../../../webui/chat/instep.js";

const PAUSED = [{ at_seconds: 0, offset_seconds: 0 }, { at_seconds: 10, offset_seconds: 70 }, { at_seconds: 20, offset_seconds: 90 }];

test("a pause of the stream is not in its recording", () => {
  deepEqual([0, 9.5, 10, 12, 25].map((at) => offsetAt(PAUSED, at)), [0, 9.5, 70, 72, 95]);
  deepEqual([0, 9.5, 70, 72, 95].map((at) => positionAt(PAUSED, at)), [0, 9.5, 10, 12, 25]);
});

test("what was said in a pause belongs to its end", () => {
  deepEqual([11, 50, 69].map((at) => positionAt(PAUSED, at)), [10, 10, 10]);
});

test("a recording that begins late, and one of which nothing is known", () => {
  const late = [{ at_seconds: 0, offset_seconds: 5 }];
  deepEqual([offsetAt(late, 2), positionAt(late, 3), positionAt(late, 8)], [7, 0, 3]);
  deepEqual([offsetAt([], 2), positionAt([], 2)], [2, 2]);
});
