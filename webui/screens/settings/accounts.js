// For the owner: all accounts, and what each may do.

import { Restricted } from "../../chat/moderation.js";
import { address } from "../../site/addresses.js";
import { api, asProblem } from "../../site/api.js";
import { me } from "../../site/session.js";
import { nameOf } from "../../site/words.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Choice, Field, Form, Submit } from "../../parts/form.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { Paged, Pages } from "../../parts/list.js";
import { Person } from "../../parts/person.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/** @import { Account } from "../../types.js" */

const ROLES = /** @type {[string, string][]} */ ([["viewer", "Viewer: can watch, follow and chat"], ["streamer", "Streamer: can also go live"], ["owner", "Owner: can do everything"]]);
const STANDINGS = /** @type {[string, string][]} */ ([["active", "Active"], ["pending", "Waiting for approval"], ["suspended", "Suspended: cannot log in"]]);

/** @param {string} username */
const pathOf = (username) => `/users/${encodeURIComponent(username)}`;

export function Accounts() {
  const q = useSignal("");
  // A notification of somebody who waits leads here.
  const standing = useSignal(address.value.query.get("standing") ?? "");
  const dialog = useSignal(/** @type {null | "new" | Account} */ (null));
  const refusing = useSignal(/** @type {Account | null} */ (null));
  const pages = useMemo(() => /** @type {Pages<Account>} */ (new Pages("/users", { q: q.value, standing: standing.value, limit: 50 })), [q.value, standing.value]);
  useEffect(() => void pages.first(), [pages]);
  const timer = useRef(0);
  const typed = (/** @type {any} */ event) => {
    const words = event.currentTarget.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => (q.value = words.trim()), 250);
  };
  const close = () => (dialog.value = null);
  const changed = () => (close(), void pages.first());
  const approve = async (/** @type {Account} */ account) => {
    try {
      await api.patch(pathOf(account.username), { standing: "active" });
      toast(`${nameOf(account)} can log in now.`);
      await pages.first();
    } catch (error) {
      toast(asProblem(error).message);
    }
  };
  return html`
    <div class="tools">
      <form role="search" class="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}><${Icon} name="search" /><input type="search" aria-label="Search people" placeholder="Search" onInput=${typed} /></form>
      <select aria-label="Standing" value=${standing.value} onChange=${(/** @type {any} */ event) => (standing.value = event.currentTarget.value)}>
        <option value="">Everyone</option>${STANDINGS.map(([key, words]) => html`<option key=${key} value=${key}>${words.split(":")[0]}</option>`)}
      </select>
      <button class="button" type="button" onClick=${() => (dialog.value = "new")}><${Icon} name="plus" />New account</button>
    </div>
    <${Paged} pages=${pages} empty=${html`<p>No accounts found.</p>`} each=${(/** @type {Account} */ account) => html`
      <li key=${account.username} class="row">
        <${Person} user=${account}>@${account.username} · ${account.role}${account.standing === "suspended" ? " · suspended" : ""}${account.standing === "pending" ? " · waits for approval" : ""}<//>
        ${account.standing === "pending" && html`<button class="button primary" type="button" aria-label="Approve ${account.username}" onClick=${() => approve(account)}>Approve</button>
          <button class="button" type="button" aria-label="Refuse ${account.username}" onClick=${() => (refusing.value = account)}>Refuse</button>`}
        <button class="button" type="button" aria-label="Change ${account.username}" onClick=${() => (dialog.value = account)}>Change</button>
      </li>`} />
    <${Restricted} path="/restrictions" words="Muted or banned in all chats" />
    ${refusing.value && html`<${Confirm} title="Refuse ${nameOf(refusing.value)}?" words="This deletes the account. The person can register again." action="Refuse" onClose=${() => (refusing.value = null)}
      work=${async () => { await api.delete(pathOf(/** @type {Account} */ (refusing.value).username)); refusing.value = null; await pages.first(); }} />`}
    ${dialog.value === "new" && html`<${NewAccount} onDone=${changed} onClose=${close} />`}
    ${dialog.value !== null && typeof dialog.value === "object" && html`<${Change} account=${dialog.value} onDone=${changed} onClose=${close} />`}`;
}

/** @param {{ onDone: () => void, onClose: () => void }} props */
function NewAccount({ onDone, onClose }) {
  const task = useTask();
  const username = useSignal("");
  const password = useSignal("");
  const role = useSignal("viewer");
  const work = async () => {
    await api.post("/users", { username: username.value.trim(), password: password.value, role: role.value });
    onDone();
  };
  return html`
    <${Dialog} title="New account" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Field} label="Username" name="username" task=${task} value=${username} maxlength="20" autocomplete="off" autocapitalize="none" spellcheck=${false} required />
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="new-password" hint="At least 8 characters. Tell the person, who can change it." required />
        <${Choice} label="Role" name="role" task=${task} value=${role} choices=${ROLES} />
        <${Refusal} task=${task} fields=${["username", "password", "role"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Create account<//></footer>
      <//>
    <//>`;
}

/** @param {{ account: Account, onDone: () => void, onClose: () => void }} props */
function Change({ account, onDone, onClose }) {
  const task = useTask();
  const role = useSignal(/** @type {string} */ (account.role));
  const standing = useSignal(/** @type {string} */ (account.standing));
  const password = useSignal("");
  const isDeleting = useSignal(false);
  const hasKey = useSignal(account.has_ingest_key);
  const revoke = () => task.run(async () => {
    await api.delete(`${pathOf(account.username)}/ingest-key`);
    hasKey.value = false;
    toast("The stream key no longer works.");
  });
  const isSelf = account.username === me.value?.username;
  const work = async () => {
    const changes = {
      ...(role.value === account.role ? {} : { role: role.value }),
      ...(standing.value === account.standing ? {} : { standing: standing.value }),
      ...(password.value ? { password: password.value } : {}),
    };
    if (Object.keys(changes).length > 0) await api.patch(pathOf(account.username), changes);
    toast("Saved.");
    onDone();
  };
  if (isDeleting.value) {
    return html`<${Confirm} title="Delete ${nameOf(account)}?" words="This deletes the account, its streams and its chat messages for good." action="Delete account" onClose=${onClose}
      work=${async () => { await api.delete(pathOf(account.username)); onDone(); }} />`;
  }
  return html`
    <${Dialog} title=${nameOf(account)} onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Choice} label="Role" name="role" task=${task} value=${role} choices=${ROLES} />
        <${Choice} label="Standing" name="standing" task=${task} value=${standing} choices=${STANDINGS.filter(([key]) => key !== "pending" || account.standing === "pending")} />
        <${Field} label="New password" name="password" task=${task} value=${password} type="password" autocomplete="new-password" hint="Leave empty to keep the present one." />
        ${hasKey.value && html`<p>Has a key to stream from another program. <button class="link" type="button" onClick=${revoke}>Revoke the stream key</button></p>`}
        <${Refusal} task=${task} fields=${["role", "standing", "password"]} />
        <footer>
          ${!isSelf && html`<button class="button danger" type="button" onClick=${() => (isDeleting.value = true)}>Delete…</button>`}<span class="grow"></span>
          <button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Save<//>
        </footer>
      <//>
    <//>`;
}
