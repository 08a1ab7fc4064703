// The disk that recordings lie on: what the kernel tells of it, in words. What it does not tell is left out.

import { asSize, count } from "../../site/words.js";
import { html } from "../../parts/html.js";

/** @import { Disk } from "../../types.js" */

const MONTH = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
/** @type {Record<Disk["kind"], string>} */
const KINDS = { sd_card: "SD card", emmc: "Built-in card (eMMC)", disk: "Disk" };

/** @param {Disk} disk */
export function factsOf({ kind, model, made, life_used_percent, written_bytes_per_day, file_system_errors, failed_commands }) {
  const noun = kind === "disk" ? "disk" : "card";
  const life = life_used_percent === null ? null
    : life_used_percent > 100 ? `The ${noun} reports that it has outlived what its maker promised.`
    : `The ${noun} reports that ${life_used_percent} % of its life is used.`;
  return /** @type {[string, string | null][]} */ ([
    [KINDS[kind], [model, made && `made in ${MONTH.format(new Date(`${made}-01T00:00:00Z`))}`].filter(Boolean).join(", ") || null],
    ["Wear", life],
    ["Written a day", written_bytes_per_day === null ? null : `${asSize(written_bytes_per_day)} by everything on it`],
    ["Errors of the file system", file_system_errors ? String(file_system_errors) : null],
    ["Failed commands", failed_commands ? `${failed_commands} since it was plugged in (a few mean nothing)` : null],
  ]).filter(([, words]) => words);
}

/** What an owner should act on, a sentence each. @param {Disk} disk */
export function warningsOf({ kind, is_read_only, life_used_percent, spare, file_system_errors }) {
  const noun = kind === "disk" ? "disk" : "card";
  return [
    is_read_only && `The ${noun} can only be read: nothing can be recorded on it.`,
    life_used_percent !== null && life_used_percent >= 90 && `The ${noun} is near the end of its life. Replace it soon.`,
    spare !== null && spare !== "normal" && `The ${noun} has used ${spare === "low" ? "most" : "nearly all"} of its spare room for repairs. Replace it soon.`,
    Boolean(file_system_errors) && `The file system has found ${count(file_system_errors ?? 0, "error")}. Copy what matters, then check the ${noun} or replace it.`,
  ].filter(Boolean);
}

/** @param {{ disk: Disk }} props */
export function CardPart({ disk }) {
  const facts = factsOf(disk);
  const warnings = warningsOf(disk);
  if (facts.length === 0 && warnings.length === 0) return null;
  return html`
    <h3>${disk.kind === "disk" ? "Disk" : "Card"}</h3>
    ${warnings.map((words) => html`<p key=${words} class="notice" role="status">${words}</p>`)}
    <dl class="facts">${facts.map(([name, words]) => html`<div key=${name}><dt>${name}</dt><dd>${words}</dd></div>`)}</dl>`;
}
