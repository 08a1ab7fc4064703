// For the owner: the daemon and its board.

import { asProblem } from "../../site/api.js";
import { askSystem } from "../../site/clock.js";
import { asDate, asDuration, asSize } from "../../site/words.js";
import { html, useSignal } from "../../parts/html.js";
import { usePoll } from "../../parts/poll.js";
import { isUnderWay, UpdatePart } from "./update.js";

/** @import { System } from "../../types.js" */

const LOOK = 5000;

export function SystemPart() {
  const system = useSignal(/** @type {System | null} */ (null));
  const problem = useSignal("");
  usePoll(async () => {
    try {
      system.value = await askSystem();
      problem.value = "";
    } catch (error) {
      // Expected while the board restarts.
      problem.value = isUnderWay.value ? "" : asProblem(error).message;
    }
    return LOOK;
  }, [isUnderWay.value]);
  const now = system.value;
  if (!now) return html`<p class="waiting" role="status">${problem.value || "Loading"}</p>`;
  const { warnings } = now;
  return html`
    ${warnings.map((words) => html`<p key=${words} class="notice" role="status">${words}</p>`)}
    ${problem.value && html`<p class="refusal" role="alert">${problem.value}</p>`}
    <dl class="facts">${facts(now).map(([name, words]) => words && html`<div key=${name}><dt>${name}</dt><dd>${words}</dd></div>`)}</dl>
    ${now.chooses_wifi && html`<p><a class="button" href="/wifi">Change Wi-Fi</a></p>`}
    ${now.takes_updates && now.version !== undefined && html`<${UpdatePart} version=${now.version} />`}`;
}

/** Names and values; null if unknown. @param {System} system @returns {[string, string | null][]} */
function facts({ version, time, uptime_seconds, model, host_name, board_uptime_seconds, temperature_celsius, power, disk, memory, load, addresses }) {
  return [
    ["Perch", version === undefined || uptime_seconds === undefined ? null : `${version}, running for ${asDuration(uptime_seconds)}`],
    ["Board", model ?? null],
    ["Network name", host_name ?? null],
    ["Board running for", board_uptime_seconds == null ? null : asDuration(board_uptime_seconds)],
    ["Clock", asDate(time)],
    ["Temperature", temperature_celsius == null ? null : `${Math.round(temperature_celsius)} °C`],
    ["Power", power ? powerInWords(power) : null],
    ["Card or disk", disk ? `${asSize(disk.free_bytes)} free of ${asSize(disk.total_bytes)}` : null],
    ["Memory", memory ? `${asSize(memory.available_bytes)} free of ${asSize(memory.total_bytes)}${memory.daemon_bytes ? `, Perch uses ${asSize(memory.daemon_bytes)}` : ""}` : null],
    ["Load", load ? load.map((one) => one.toFixed(2)).join(" · ") : null],
    ["Addresses", addresses?.map(({ address, interface: name }) => `${address} (${name})`).join(", ") || null],
  ];
}

/** @param {NonNullable<System["power"]>} power */
function powerInWords({ under_voltage, under_voltage_occurred, throttled, throttled_occurred }) {
  if (under_voltage) return "Voltage too low";
  if (throttled) return "Slowed down";
  if (under_voltage_occurred) return "Voltage was too low since the board was switched on";
  return throttled_occurred ? "Was slowed down since the board was switched on" : "Good";
}
