// For the owner: how long things are kept before Perch deletes them.

import { api } from "../../site/api.js";
import { choicesFor } from "../../site/ages.js";
import { loadSettings, settings } from "../../site/session.js";
import { Choice, Form, Submit } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/** @import { Retention } from "../../types.js" */

/** @type {{ name: keyof Retention, label: string, hint?: string }[]} */
const AGES = [
  { name: "unrecorded_stream_days", label: "Ended streams without a recording", hint: "Deleted with their chat, counted from their end." },
  { name: "chat_days", label: "Chats of recorded streams", hint: "The recording stays. Counted from the stream's end." },
  { name: "notification_days", label: "Notifications" },
  { name: "restriction_days", label: "Mutes and bans that have ended" },
  { name: "login_days", label: "Unused logins", hint: "A login ends after 30 unused days in any case." },
];
export function Keeping() {
  const task = useTask();
  const known = useSignal(settings.value?.retention ?? null);
  // Another owner's browser may have changed it since this page was opened.
  useEffect(() => {
    loadSettings().then(() => (known.value = settings.value?.retention ?? null)).catch(() => {});
  }, []);
  return known.value && html`<${Ages} key=${JSON.stringify(known.value)} task=${task} known=${known.value} />`;
}

/** @param {{ task: import("../../parts/task.js").Task, known: Retention }} props */
function Ages({ task, known }) {
  const values = AGES.map(({ name }) => useSignal(String(known[name])));
  const work = async () => {
    const retention = Object.fromEntries(AGES.map(({ name }, at) => [name, Number(values[at]?.value)]));
    await api.patch("/settings", { retention });
    await loadSettings();
    toast("Saved.");
  };
  return html`
    <p>Perch deletes what is older, a little at a time. Recordings have limits of their own.</p>
    <${Form} task=${task} work=${work}>
      ${AGES.map(({ name, label, hint }, at) => html`
        <${Choice} key=${name} label=${label} name=${name} hint=${hint} task=${task} value=${values[at]} choices=${choicesFor(known[name])} />`)}
      <${Refusal} task=${task} fields=${AGES.map(({ name }) => name)} />
      <${Submit} task=${task}>Save<//>
    <//>`;
}
