// For the owner: everything that is remembered, as a file, and the way back.

import { api } from "../../site/api.js";
import { forgetMe } from "../../site/session.js";
import { count } from "../../site/words.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { html, useId, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";

/** @import { TakenIn } from "../../types.js" */

/** For years of a site over a weak wireless network, and for a small board to look at all of it, milliseconds. */
const TRANSFER = 3_600_000;

export function Backup() {
  const isDownloading = useSignal(false);
  const taken = useSignal(/** @type {TakenIn | null} */ (null));
  return html`
    <p>A backup is one file with everything that this Perch remembers: its settings, accounts and topics, who follows whom, the streams and their chats. It is for a
      new card, for another board, or for a day on which something went wrong.</p>
    <h3>Make a backup</h3>
    <p>Keep the file safe: e-mail addresses and what people wrote are in it. Passwords are not, only what they can be checked by; nobody is logged in with it.</p>
    <p><button class="button" type="button" onClick=${() => (isDownloading.value = true)}>Download a backup…</button></p>
    <h3>Go back to a backup</h3>
    <p>Perch looks at the file first and says what is in it; nothing is changed before you say so. It is not done while a stream is on the air.</p>
    <${Choose} onTaken=${(/** @type {TakenIn} */ what) => (taken.value = what)} />
    ${isDownloading.value && html`<${Download} onClose=${() => (isDownloading.value = false)} />`}
    ${taken.value && html`<${Restore} taken=${taken.value} onClose=${() => (taken.value = null)} />`}`;
}

/** @param {{ onClose: () => void }} props */
function Download({ onClose }) {
  const task = useTask();
  const password = useSignal("");
  const work = async () => {
    const { blob, name } = await api.download("/backup", { password: password.value }, TRANSFER);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name ?? "perch.backup";
    link.click();
    // The browser has begun to read it by then; without this it would be kept as long as the page.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    onClose();
  };
  return html`
    <${Dialog} title="Download a backup" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <p>Type your password to go on.</p>
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        <${Refusal} task=${task} fields=${["password"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button>
          <button class="button primary" type="submit" aria-disabled=${task.busy.value}>${task.busy.value ? html`<span class="busy" aria-hidden="true"></span>` : null}Download</button></footer>
      <//>
    <//>`;
}

/** A chosen file is sent and looked at at once. @param {{ onTaken: (taken: TakenIn) => void }} props */
function Choose({ onTaken }) {
  const id = useId();
  const task = useTask();
  const send = (/** @type {any} */ event) => {
    const input = event.currentTarget;
    /** @type {File | undefined} */
    const file = input.files[0];
    if (!file) return;
    task.run(async () => {
      onTaken(await api.put("/restore", file.slice(0, file.size, "application/octet-stream"), TRANSFER));
    }).finally(() => (input.value = ""));
  };
  return html`
    <div>
      <label for=${id} class="sr-only">Restore from a backup: choose the file</label>
      <span class="file"><input id=${id} type="file" accept=".backup" onChange=${send} /><span class="button" aria-hidden="true">Restore from a backup…</span></span>
      <p class="field-words" role="status">${task.busy.value ? "Perch takes the file and looks at it." : ""}</p>
      <${Refusal} task=${task} />
    </div>`;
}

/** @param {{ taken: TakenIn, onClose: () => void }} props */
function Restore({ taken, onClose }) {
  const task = useTask();
  const password = useSignal("");
  const cancel = () => {
    onClose();
    // What is left of it is thrown away at the next one, or when Perch starts again.
    api.delete("/restore").catch(() => {});
  };
  const work = async () => {
    await api.post("/restore", { id: taken.id, password: password.value }, TRANSFER);
    forgetMe();
    // The page begins anew: all that it knows is of the site before.
    location.assign("/login?restored");
  };
  return html`
    <${Dialog} title="Restore this backup?" onClose=${cancel}>
      <${Form} task=${task} work=${work}>
        <p>In it is <strong>${taken.site_name}</strong> with ${count(taken.users, "account")}, ${count(taken.streams, "stream")} and ${count(taken.messages, "chat message")}.</p>
        <p><strong>What is here now is lost:</strong> accounts, streams, chats and settings that are not in the backup are gone, the others are as they were when it was
          made. Everybody has to log in again, you too, with the password from that time.</p>
        <${Field} label="Your password now" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        <${Refusal} task=${task} fields=${["password"]} />
        <footer><button class="button" type="button" onClick=${cancel}>Cancel</button>
          <button class="button danger" type="submit" aria-disabled=${task.busy.value}>${task.busy.value ? html`<span class="busy" aria-hidden="true"></span>` : null}Restore</button></footer>
      <//>
    <//>`;
}
