// Which second of a stream belongs to which second of its recording.

import { deepEqual } from "node:assert/strict";
import { test } from "node:test";

globalThis.addEventListener = () => {};
const { InStep, offsetAt, positionAt } = await import("../../../../webui/chat/instep.js");

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

/** Messages at these seconds. @param {number[]} seconds */
const at = (...seconds) => seconds.map((second) => ({ id: String(1000 + second), offset_seconds: second, text: `at ${second}`, deleted: false }));

test("the chat of a stream that goes on is asked for again only where it has grown", async () => {
  /** What the daemon has by now. */
  let said = at(5, 100);
  let asked = 0;
  globalThis.fetch = async (address) => {
    asked += 1;
    const from = Number(new URL(address, "http://perch").searchParams.get("from"));
    const items = said.filter(({ offset_seconds }) => offset_seconds >= from);
    return new Response(JSON.stringify({ items, next_cursor: null }), { headers: { "content-type": "application/json" } });
  };
  globalThis.location = { href: "http://perch/", origin: "http://perch" };
  const step = new InStep("S", () => {});
  const texts = (others = []) => step.shown(others).map(({ text }) => text);
  const settle = () => new Promise((done) => setTimeout(done, 5));
  step.go(10, 120);
  await settle();
  deepEqual([texts(), step.newer([]), asked], [["at 5"], 1, 1]);
  // Played on for a minute: all of that was known before.
  for (let second = 11; second < 70; second += 1) step.go(second, 120);
  await settle();
  deepEqual(asked, 1);
  // What came meanwhile by the chat's connection counts, once.
  deepEqual([step.newer(at(100, 110)), texts(at(100, 110))], [2, ["at 5"]]);
  said = at(5, 100, 110, 180);
  step.go(185, 60);
  await settle();
  deepEqual([asked, texts(), texts(at(110, 184, 190))], [2, ["at 100", "at 110", "at 180"], ["at 100", "at 110", "at 180", "at 184"]]);
  // What was deleted meanwhile is shown as deleted.
  const gone = [{ ...at(110)[0], text: "", deleted: true }];
  deepEqual(step.shown(gone).filter(({ deleted }) => deleted).length, 1);
});
