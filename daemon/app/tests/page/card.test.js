// What the kernel tells of a card, in words (webui/screens/settings/card.js).

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.addEventListener = () => {};
globalThis.document = { addEventListener() {}, hidden: true };
globalThis.location = { pathname: "/live" };
globalThis.fetch = async () => ({ ok: true, json: async () => ({}) });
const { factsOf, warningsOf } = await import("../../../../webui/screens/settings/card.js");

const SILENT = {
  name: "sda", kind: "disk", model: null, made: null, life_used_percent: null, spare: null, is_read_only: false,
  failed_commands: null, file_system_errors: null, written_bytes_per_day: null,
};

test("nothing is shown where the kernel tells nothing", () => {
  assert.deepEqual([factsOf(SILENT), warningsOf(SILENT)], [[], []]);
  assert.deepEqual([factsOf({ ...SILENT, failed_commands: 0, file_system_errors: 0 }), warningsOf({ ...SILENT, spare: "normal" })], [[], []]);
});

test("a card's age and wear are told in words", () => {
  const card = { ...SILENT, kind: "sd_card", model: "SC32G", made: "2023-05", written_bytes_per_day: 1.5 * 2 ** 30 };
  assert.deepEqual(factsOf(card), [["SD card", "SC32G, made in May 2023"], ["Written a day", "1.5 GiB by everything on it"]]);
  const chip = { ...SILENT, kind: "emmc", life_used_percent: 70, spare: "normal" };
  assert.deepEqual(factsOf(chip), [["Wear", "The card reports that 70 % of its life is used."]]);
  assert.deepEqual(warningsOf(chip), []);
});

test("what an owner should act on is a sentence each", () => {
  const worn = { ...SILENT, kind: "emmc", life_used_percent: 110, spare: "urgent", is_read_only: true, file_system_errors: 1 };
  assert.deepEqual(factsOf(worn)[0], ["Wear", "The card reports that it has outlived what its maker promised."]);
  assert.deepEqual(warningsOf(worn), [
    "The card can only be read: nothing can be recorded on it.",
    "The card is near the end of its life. Replace it soon.",
    "The card has used nearly all of its spare room for repairs. Replace it soon.",
    "The file system has found 1 error. Copy what matters, then check the card or replace it.",
  ]);
});
