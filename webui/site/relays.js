// How a relay is doing, in words.

import { sentence } from "./api.js";

/** @import { RelayedStream } from "../types.js" */

/** Seconds for which the page says that pictures were left out. */
const SLOW = 60;

/** @param {RelayedStream} sent */
export function relayWords({ state, kbps, acknowledged_seconds_ago: ago, retry_in_seconds: wait, detail, dropped, dropped_seconds_ago: slow }) {
  const again = wait ? `Trying again in ${wait} s.` : "Trying again now.";
  switch (state) {
    case "live": {
      const rate = (kbps ?? 0) >= 1000 ? `${((kbps ?? 0) / 1000).toFixed(1)} Mbit/s` : `${kbps ?? 0} kbit/s`;
      const late = slow !== null && slow < SLOW ? ` Its connection is too slow for the stream: ${dropped} pictures and sounds were left out so far.` : "";
      return `Live: it takes ${rate}, last confirmed ${ago ? `${ago} s ago` : "just now"}.${late}`;
    }
    case "retrying": return `${sentence(detail ?? "the connection failed")} ${again}`;
    case "refused": return `${sentence(detail ?? "the server refused the stream")} Check the stream key. ${again}`;
    case "ended": return "Ended.";
    default: return detail ? `Connecting. Before: ${detail}.` : "Connecting.";
  }
}
