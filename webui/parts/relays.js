// How a stream is sent on to other servers.

import { api } from "../site/api.js";
import { relayWords } from "../site/relays.js";
import { html, useSignal } from "./html.js";
import { usePoll } from "./poll.js";

/** @import { Relay } from "../types.js" */

/** Milliseconds between two requests. */
const LOOK = 2000;
/** The relays of one stream. @param {{ stream: string }} props */
export function RelayStates({ stream }) {
  const relays = useSignal(/** @type {Relay[]} */ ([]));
  usePoll(async (signal) => {
    try {
      relays.value = (await api.get("/relays", { signal })).items;
    } catch (error) {
      // What is shown stays until the next answer.
      if (signal.aborted) throw error;
    }
    return LOOK;
  }, [stream]);
  const sent = relays.value.flatMap(({ name, streams }) => streams.filter((one) => one.stream === stream).map((one) => ({ name, one })));
  if (sent.length === 0) return null;
  return html`
    <section class="relays" aria-label="Relays"><h2>Relays</h2>
      <ul class="rows">${sent.map(({ name, one }) => html`<li key=${name} class="row"><strong>${name}</strong> <span class="grow" role="status">${relayWords(one)}</span></li>`)}</ul>
    </section>`;
}
