// Numbers and times in words.

import { clock } from "./clock.js";

/** @import { Barred, EndReason, RecordingTrouble, Restriction, Stream, UserRef } from "../types.js" */

/** Seconds as 1:02:03. @param {number} seconds */
export function asClock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A rounded duration for people. @param {number} seconds */
export function asDuration(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** @param {number} bytes */
export const asSize = (bytes) => {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return bytes >= 2 ** 20 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${Math.round(bytes / 2 ** 10)} KiB`;
};

const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** How long ago, by the daemon's clock. @param {string} time  RFC 3339 */
export function ago(time) {
  const seconds = (Date.parse(time) - (clock.now() ?? Date.now())) / 1000;
  const units = /** @type {const} */ ([["year", 31_557_600], ["month", 2_629_800], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]]);
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return AGO.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

/** @param {string} time  RFC 3339 */
export const asDate = (time) => DATE.format(new Date(time));

const COUNT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 1.2K. @param {number} number */
export const short = (number) => COUNT.format(number);

/**
 * "1 view", "2 views".
 * @param {number} number
 * @param {string} word
 * @param {string} [words]  the plural
 */
export const count = (number, word, words = `${word}s`) => `${short(number)} ${number === 1 ? word : words}`;

/** The name to show. @param {UserRef} user */
export const nameOf = (user) => user.full_name || user.username;

/**
 * What a stream without pictures waits for: its camera, or the program that sends it.
 * @param {Stream} stream
 */
export const waitingWords = ({ camera, state }) => {
  if (camera.startsWith("ingest:")) return "Waiting for the program that sends this stream";
  return state === "starting" ? "Starting the camera" : "Waiting for the camera";
};

/** Why a stream ended. @type {Record<EndReason, string>} */
export const ENDED_BY = {
  user: "ended by its streamer",
  owner: "stopped by the owner of this site",
  duration: "ended after its planned duration",
  button: "stopped by the button on the board",
  shutdown: "ended when Perch was shut down",
  disk: "stopped because the disk was full",
  interruption: "interrupted: the board lost power or the camera was disconnected",
};

/** Who can register. @type {[string, string][]} */
export const REGISTRATION = [["approval", "Everyone, after my approval"], ["closed", "Nobody: I create the accounts"], ["open", "Everyone on the network, at once"]];

/** What a muted or banned person reads. @param {Barred} barred */
export function barredWords({ severity, scope, until }) {
  const what = severity === "ban" ? "banned from" : "muted in";
  const where = { stream: "the chat of this stream", chats: "all chats of this streamer", everywhere: "all chats of this site" }[scope];
  const lifted = scope === "everywhere" ? "the owner of this site lifts it" : "the streamer or the owner of this site lifts it";
  return `You are ${what} ${where} until ${until ? asDate(until) : lifted}.`;
}

/** What a moderator reads beside a person's name. @param {Restriction} restriction */
export function restrictionWords({ severity, scope, until, stream, streamer }) {
  const where = { stream: stream ? `in the chat of “${stream.title}”` : "in one stream", chats: streamer ? `in all chats of ${nameOf(streamer)}` : "in all chats of a streamer", everywhere: "in all chats" }[scope];
  return `${severity === "ban" ? "banned" : "muted"} ${where} ${until ? `until ${asDate(until)}` : "until lifted"}`;
}

/** Why a stream is not being recorded. @type {Record<RecordingTrouble, string>} */
export const NOT_RECORDED = {
  no_room: "there is no room left on the card",
  read_only: "the card can only be read",
  missing: "the disk for recordings is missing",
  not_allowed: "Perch may not write in the folder for recordings",
  failing: "the card does not take what is written",
};

/** @type {[RegExp, string][]} */
const BROWSERS = [[/Edg(e|A|iOS)?\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\/|FxiOS\//, "Firefox"], [/(Chrome|CriOS)\//, "Chrome"], [/Safari\//, "Safari"]];
/** @type {[RegExp, string][]} */
const SYSTEMS = [[/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Windows/, "Windows"], [/Mac OS X/, "Mac"], [/CrOS/, "Chromebook"], [/Linux/, "Linux"]];

/**
 * The daemon's label of a login in words, from the browser's own name: "Firefox on Linux from 192.0.2.7".
 * @param {string} label
 */
export function asDevice(label) {
  if (!label.startsWith("Mozilla/")) return label || "A browser or program";
  const find = (/** @type {[RegExp, string][]} */ list) => list.find(([pattern]) => pattern.test(label))?.[1];
  const from = / from [0-9a-fA-F.:]+$/.exec(label)?.[0] ?? "";
  const system = find(SYSTEMS);
  return `${find(BROWSERS) ?? "A browser"}${system ? ` on ${system}` : ""}${from}`;
}
