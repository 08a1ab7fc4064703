// For the owner: downloads a backup, and restores one.

import { api } from "../../site/api.js";
import { at } from "../../site/base.js";
import { forgetMe } from "../../site/session.js";
import { count } from "../../site/words.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form, Switch } from "../../parts/form.js";
import { html, useId, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";

/** @import { TakenIn } from "../../types.js" */

/** Enough for a large backup over a weak wireless network, and for a small board to check it, milliseconds. */
const TRANSFER = 3_600_000;

export function Backup() {
  const isDownloading = useSignal(false);
  const taken = useSignal(/** @type {TakenIn | null} */ (null));
  return html`
    <p>A backup is one file with everything that this Perch keeps: settings, accounts, topics, follows, streams and chats. Use it to move to a new card or board, or
      to recover when something goes wrong.</p>
    <h3>Make a backup</h3>
    <p>Keep the file safe: it contains e-mail addresses and chat messages. Passwords are in it only as hashes, and logins are not in it. Stream keys are encrypted, or left out.</p>
    <p><button class="button" type="button" onClick=${() => (isDownloading.value = true)}>Download a backup…</button></p>
    <h3>Restore a backup</h3>
    <p>Perch first checks the file and shows what it contains; nothing changes until you confirm. You cannot restore while a stream is live.</p>
    <${Choose} onTaken=${(/** @type {TakenIn} */ what) => (taken.value = what)} />
    ${isDownloading.value && html`<${Download} onClose=${() => (isDownloading.value = false)} />`}
    ${taken.value && html`<${Restore} taken=${taken.value} onClose=${() => (taken.value = null)} />`}`;
}

/** @param {{ onClose: () => void }} props */
function Download({ onClose }) {
  const task = useTask();
  const password = useSignal("");
  const seals = useSignal(false);
  const work = async () => {
    const { blob, name } = await api.download("/backup", { password: password.value, seal_keys: seals.value }, TRANSFER);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name ?? "perch.backup";
    link.click();
    // The browser is reading it by then; otherwise it would stay in memory as long as the page.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    onClose();
  };
  return html`
    <${Dialog} title="Download a backup" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <p>Enter your password to continue.</p>
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        <${Switch} label="With stream keys" hint="Those of relays and of other programs, encrypted with this password. You need it to bring them back." value=${seals} />
        <${Refusal} task=${task} fields=${["password"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button>
          <button class="button primary" type="submit" aria-disabled=${task.busy.value}>${task.busy.value ? html`<span class="busy" aria-hidden="true"></span>` : null}Download</button></footer>
      <//>
    <//>`;
}

/** A chosen file is uploaded and checked at once. @param {{ onTaken: (taken: TakenIn) => void }} props */
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
      <p class="field-words" role="status">${task.busy.value ? "Uploading and checking the file" : ""}</p>
      <${Refusal} task=${task} />
    </div>`;
}

/** @param {{ taken: TakenIn, onClose: () => void }} props */
function Restore({ taken, onClose }) {
  const task = useTask();
  const password = useSignal("");
  const keysPassword = useSignal("");
  const cancel = () => {
    onClose();
    // If this fails, the next upload or a restart of Perch deletes the file.
    api.delete("/restore").catch(() => {});
  };
  const work = async () => {
    await api.post("/restore", { id: taken.id, password: password.value, ...(keysPassword.value ? { keys_password: keysPassword.value } : {}) }, TRANSFER);
    forgetMe();
    // A full reload: everything in memory belongs to the previous site.
    location.assign(at("/login?restored"));
  };
  return html`
    <${Dialog} title="Restore this backup?" onClose=${cancel}>
      <${Form} task=${task} work=${work}>
        <p>It contains <strong>${taken.site_name}</strong> with ${count(taken.users, "account")}, ${count(taken.streams, "stream")} and ${count(taken.messages, "chat message")}.</p>
        <p><strong>This replaces everything on this Perch:</strong> what has changed since the backup is lost. Everyone, including you, has to log in again, with the
          password from the time of the backup.</p>
        <${Field} label="Your current password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        ${taken.has_sealed_keys && html`<${Field} label="Password of its stream keys" name="keys_password" task=${task} value=${keysPassword} type="password" autocomplete="off" hint="The password with which the backup was made. Leave it empty to go without the keys." />`}
        <${Refusal} task=${task} fields=${["password", "keys_password"]} />
        <footer><button class="button" type="button" onClick=${cancel}>Cancel</button>
          <button class="button danger" type="submit" aria-disabled=${task.busy.value}>${task.busy.value ? html`<span class="busy" aria-hidden="true"></span>` : null}Restore</button></footer>
      <//>
    <//>`;
}
