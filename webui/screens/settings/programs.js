// For streamers: how another program, such as OBS, streams to this Perch, and what such a stream begins with. The owner switches it on.

import { api, asProblem } from "../../site/api.js";
import { loadSettings, me } from "../../site/session.js";
import { CopyField } from "../../parts/copyfield.js";
import { Confirm } from "../../parts/dialog.js";
import { Form, Submit, Switch } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { RelayChoice } from "../../parts/relaychoice.js";
import { StreamWords, WORD_FIELDS } from "../../parts/streamwords.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/** @import { Ingest, Relay } from "../../types.js" */

export function Programs() {
  const ingest = useSignal(/** @type {Ingest | null} */ (null));
  const task = useTask();
  useEffect(() => void task.run(async () => (ingest.value = await api.get("/me/ingest"))), []);
  const now = ingest.value;
  const isOwner = me.value?.role === "owner";
  const change = (/** @type {Ingest} */ news) => (ingest.value = news);
  return html`
    <p>Stream with OBS, a phone or any program that speaks RTMP. Your stream begins when the program connects, and ends when it stops.</p>
    <${Refusal} task=${task} />
    ${now && isOwner && html`<${OwnersSwitch} ingest=${now} onChange=${change} />`}
    ${now && !now.enabled && !isOwner && html`<p class="notice" role="status">The owner of this site has switched this off.</p>`}
    ${now?.enabled && html`<${Connection} ingest=${now} onChange=${change} /><${Preparation} ingest=${now} />`}`;
}

/** @param {{ ingest: Ingest, onChange: (news: Ingest) => void }} props */
function OwnersSwitch({ ingest, onChange }) {
  const set = async (/** @type {boolean} */ on) => {
    try {
      await api.patch("/settings", { ingest: on });
      onChange({ ...ingest, enabled: on });
      await loadSettings();
    } catch (error) {
      onChange({ ...ingest });
      toast(asProblem(error).message);
    }
  };
  return html`<${Switch} label="Let streamers use other programs" hint="Opens the port for RTMP on this board. Only stream keys of this site are let in."
    value=${{ get value() { return ingest.enabled; }, set value(on) { void set(on); } }} />`;
}

/** @param {{ ingest: Ingest, onChange: (news: Ingest) => void }} props */
function Connection({ ingest, onChange }) {
  const task = useTask();
  const isAsking = useSignal(false);
  const renew = async () => onChange(await api.post("/me/ingest/key"));
  const { address, tls_address, key } = ingest;
  if (!key) {
    return html`
      <h3>Connection</h3>
      <p>The program needs a stream key of yours.</p>
      <${Refusal} task=${task} />
      <p><button class="button primary" type="button" aria-disabled=${task.busy.value} onClick=${() => task.run(renew)}>Make a stream key</button></p>`;
  }
  return html`
    <h3>Connection</h3>
    <div class="form">
      <${CopyField} label="Server" value=${address} />
      ${tls_address && html`<${CopyField} label="Server with TLS" value=${tls_address} hint="Nobody on the network can read the stream key. The computer must trust this Perch: see HTTPS." />`}
      <${CopyField} label="Stream key" value=${key} isSecret hint="Keep it to yourself: whoever has it can go live in your name.">
        <p><button class="link" type="button" onClick=${() => (isAsking.value = true)}>New key…</button></p>
      <//>
    </div>
    <${Instructions} address=${address} streamKey=${key} />
    ${isAsking.value && html`<${Confirm} title="Make a new stream key?" words="The present key stops working at once, and a stream that uses it ends." action="Make a new key" onClose=${() => (isAsking.value = false)}
      work=${async () => { await renew(); toast("Your programs need the new key now."); }} />`}`;
}

/** @param {{ address: string, streamKey: string }} props */
function Instructions({ address, streamKey }) {
  const isCodeShown = useSignal(false);
  return html`
    <div class="stack">
      <details class="choice"><summary>OBS Studio</summary>
        <ol>
          <li>Open <strong>Settings</strong>, then <strong>Stream</strong>.</li>
          <li>Choose <strong>Custom…</strong> as the service, and paste <strong>Server</strong> and <strong>Stream key</strong>.</li>
          <li>Under <strong>Output</strong>, choose the encoder x264 or another one for H.264, a keyframe interval of 2 s, and AAC for sound.</li>
          <li>Press <strong>Start streaming</strong>.</li>
        </ol>
      </details>
      <details class="choice" onToggle=${(/** @type {any} */ event) => (isCodeShown.value = event.currentTarget.open)}><summary>Larix Broadcaster on a phone</summary>
        <ol>
          <li>Install <strong>Larix Broadcaster</strong>, and connect the phone to this network.</li>
          <li>Scan this code with the phone's camera, and open the link in Larix. It adds a connection named Perch.</li>
          <li>Press the red button.</li>
        </ol>
        ${isCodeShown.value && html`<img class="qr" src="/api/v1/me/ingest/code.svg?${hash(streamKey)}" width="240" height="240" alt="Code with the server and your stream key" />`}
        <p class="field-words">The code contains your stream key. Without it, make an RTMP connection to the server, followed by / and the key.</p>
      </details>
      <details class="choice"><summary>ffmpeg</summary>
        <p>The key is part of the address:</p>
        <pre><code>ffmpeg -re -i video.mp4 -c:v libx264 -g 60 -c:a aac -f flv ${address}/KEY</code></pre>
      </details>
    </div>`;
}

/** Another number for another key: the code is loaded anew. @param {string} text */
const hash = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_521, 0);

/** @param {{ ingest: Ingest }} props */
function Preparation({ ingest }) {
  const task = useTask();
  const { prepared, usual_title } = ingest;
  const words = { title: useSignal(prepared.title), description: useSignal(prepared.description), topics: useSignal(prepared.topics), visibility: useSignal(/** @type {string} */ (prepared.visibility)) };
  const record = useSignal(prepared.record);
  const relays = useSignal(/** @type {Relay[]} */ ([]));
  const sentTo = useSignal(prepared.relays);
  useEffect(() => void api.get("/relays").then(({ items }) => {
    relays.value = items;
    // Some may have been deleted since.
    sentTo.value = sentTo.value.filter((name) => relays.value.some((relay) => relay.name === name));
  }).catch(() => {}), []);
  const work = async () => {
    await api.patch("/me/ingest", {
      title: words.title.value, description: words.description.value, topics: words.topics.value, visibility: words.visibility.value,
      record: record.value, relays: sentTo.value,
    });
    toast("Saved. Your next stream begins with this.");
  };
  return html`
    <h3>Your stream</h3>
    <p>A stream from another program begins with this. You can edit it while you are live.</p>
    <${Form} task=${task} work=${work}>
      <${StreamWords} words=${words} task=${task} usualTitle=${usual_title} />
      <${Switch} label="Record" hint="Keeps the stream for later, if this Perch writes recordings." value=${record} />
      ${relays.value.length ? html`<${RelayChoice} relays=${relays.value} chosen=${sentTo} />` : null}
      <${Refusal} task=${task} fields=${WORD_FIELDS} />
      <${Submit} task=${task}>Save<//>
    <//>`;
}
