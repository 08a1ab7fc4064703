// For the owner: the topics of streams.

import { api } from "../../site/api.js";
import { loadTopics, topics } from "../../site/topics.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Field, Form, Submit } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { Refusal, useTask } from "../../parts/task.js";

/** @import { Topic } from "../../types.js" */

export function Topics() {
  const task = useTask();
  const name = useSignal("");
  const dialog = useSignal(/** @type {null | { does: "rename" | "delete", topic: Topic }} */ (null));
  useEffect(() => void task.run(() => loadTopics(true)), []);
  const close = () => (dialog.value = null);
  const add = async () => {
    await api.post("/topics", { name: name.value });
    name.value = "";
    await loadTopics(true);
  };
  const open = dialog.value;
  return html`
    <${Form} task=${task} work=${add}>
      <${Field} label="New topic" name="name" task=${task} value=${name} maxlength="40" required />
      <${Refusal} task=${task} fields=${["name"]} />
      <${Submit} task=${task}>Add<//>
    <//>
    <ul class="rows">
      ${topics.value.map((topic) => html`
        <li key=${topic.id} class="row"><span class="grow">${topic.name}</span>
          <button class="button quiet square" type="button" aria-label="Rename ${topic.name}" onClick=${() => (dialog.value = { does: "rename", topic })}><${Icon} name="edit" /></button>
          <button class="button quiet square" type="button" aria-label="Delete ${topic.name}" onClick=${() => (dialog.value = { does: "delete", topic })}><${Icon} name="trash" /></button>
        </li>`)}
    </ul>
    ${open?.does === "rename" && html`<${Rename} topic=${open.topic} onClose=${close} />`}
    ${open?.does === "delete" && html`<${Confirm} title="Delete the topic ${open.topic.name}?" words="It is removed from its streams; the streams stay." action="Delete topic" onClose=${close}
      work=${async () => { await api.delete(`/topics/${open.topic.id}`); await loadTopics(true); }} />`}`;
}

/** @param {{ topic: Topic, onClose: () => void }} props */
function Rename({ topic, onClose }) {
  const task = useTask();
  const name = useSignal(topic.name);
  const work = async () => {
    await api.patch(`/topics/${topic.id}`, { name: name.value });
    await loadTopics(true);
    onClose();
  };
  return html`
    <${Dialog} title="Rename topic" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Field} label="Name" name="name" task=${task} value=${name} maxlength="40" required />
        <${Refusal} task=${task} fields=${["name"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Save<//></footer>
      <//>
    <//>`;
}
