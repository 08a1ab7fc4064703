// What the chosen servers will refuse of a stream, said before it begins.

import { api } from "../site/api.js";
import { html, useEffect, useSignal } from "./html.js";

/** @import { Preflight } from "../types.js" */

/**
 * @param {object} props
 * @param {string} props.camera
 * @param {string} props.bitrate  kilobits per second; empty: not known yet
 * @param {string[]} props.relays  the chosen ones
 */
export function PreflightWords({ camera, bitrate, relays }) {
  const found = useSignal(/** @type {Preflight[]} */ ([]));
  useEffect(() => {
    if (!camera || !bitrate) return undefined;
    const gone = new AbortController();
    // Without it the stream can be started all the same.
    api.get("/relays/preflight", { query: { camera, bitrate_kbps: bitrate }, signal: gone.signal }).then(({ items }) => (found.value = items)).catch(() => {});
    return () => gone.abort();
  }, [camera, bitrate, relays.join()]);
  const of = found.value.filter(({ relay, findings }) => relays.includes(relay) && findings.length > 0);
  if (of.length === 0) return null;
  return html`
    <div role="status"><ul class="preflight" aria-label="What the servers will refuse">
      ${of.flatMap(({ relay, findings }) => findings.map(({ severity, detail }) => html`<li key=${`${relay} ${detail}`} data-severity=${severity}><strong>${relay}:</strong> ${detail}</li>`))}
    </ul></div>`;
}
