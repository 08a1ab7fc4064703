// How long things are kept, in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asAge, choicesFor } from "../../../../webui/site/ages.js";

test("an age is said in the unit that a person would use", () => {
  assert.deepEqual([0, 1, 7, 90, 365, 730, 400].map(asAge), ["For ever", "1 day", "7 days", "90 days", "1 year", "2 years", "400 days"]);
});

test("a value that is no choice can be kept", () => {
  assert.deepEqual(choicesFor(12)[0], ["12", "12 days"]);
  assert.equal(choicesFor(90).filter(([days]) => days === "90").length, 1);
});
