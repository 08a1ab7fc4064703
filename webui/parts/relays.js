// How a stream is sent on to other servers; each can be switched on and off while it runs.

import { api, asProblem } from "../site/api.js";
import { relayWords } from "../site/relays.js";
import { Switch } from "./form.js";
import { html, useSignal } from "./html.js";
import { usePoll } from "./poll.js";
import { toast } from "./toast.js";

/** @import { Relay, Stream } from "../types.js" */

/** Milliseconds between two requests. */
const LOOK = 2000;

/** @param {{ stream: Stream, onChange: (news: Stream) => void }} props */
export function RelayStates({ stream, onChange }) {
  const relays = useSignal(/** @type {Relay[]} */ ([]));
  /** What was switched last, until the daemon has answered. */
  const asked = useSignal(/** @type {string[] | null} */ (null));
  const { id } = stream;
  usePoll(async (signal) => {
    try {
      relays.value = (await api.get("/relays", { signal })).items;
    } catch (error) {
      // What is shown stays until the next answer.
      if (signal.aborted) throw error;
    }
    return LOOK;
  }, [id]);
  const sentTo = asked.value ?? stream.relays;
  const set = async (/** @type {string} */ name, /** @type {boolean} */ on) => {
    asked.value = [...sentTo.filter((other) => other !== name), ...(on ? [name] : [])];
    try {
      onChange(await api.patch(`/streams/${id}`, { relays: asked.value }));
    } catch (error) {
      toast(asProblem(error).message);
    }
    asked.value = null;
  };
  if (relays.value.length === 0) return null;
  return html`
    <section class="relays stack" aria-label="Relays"><h2>Also sent to</h2>
      <ul class="rows">${relays.value.map(({ name, streams }) => {
        const sent = streams.find((one) => one.stream === id);
        const isOn = sentTo.includes(name);
        const words = sent && sent.state !== "ended" ? relayWords(sent) : isOn ? "Connecting." : "Off.";
        return html`
          <li key=${name} class="row relay">
            <${Switch} label=${name} value=${{ get value() { return isOn; }, set value(on) { void set(name, on); } }} />
            <span class="grow state" data-state=${isOn ? (sent?.state ?? "connecting") : "off"} role="status">${isOn ? words : "Off."}</span>
          </li>`;
      })}</ul>
    </section>`;
}
