// The user's password and logins, and deleting the account.

import { go } from "../../site/addresses.js";
import { api, asProblem } from "../../site/api.js";
import { forgetMe, logOut } from "../../site/session.js";
import { ago, asDate, asDevice } from "../../site/words.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Field, Form, Submit } from "../../parts/form.js";
import { html, useEffect, useMemo, useSignal } from "../../parts/html.js";
import { Paged, Pages } from "../../parts/list.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";
import { Tokens } from "./tokens.js";

/** @import { Session } from "../../types.js" */

export function Security() {
  const dialog = useSignal(/** @type {null | "everywhere" | "delete"} */ (null));
  const close = () => (dialog.value = null);
  return html`
    <${Password} />
    <h3>Where you are logged in</h3>
    <${Sessions} />
    <p><button class="button" type="button" onClick=${() => (dialog.value = "everywhere")}>Log out everywhere</button></p>
    <${Tokens} />
    <h3>Delete your account</h3>
    <p>This deletes your profile, streams, chat messages and follows for good.</p>
    <p><button class="button danger" type="button" onClick=${() => (dialog.value = "delete")}>Delete my account</button></p>
    ${dialog.value === "everywhere" && html`<${Confirm} title="Log out everywhere?" words="You will have to log in again in all browsers and programs, including this one." action="Log out everywhere"
      onClose=${close} work=${async () => { await logOut(true); go("/"); }} />`}
    ${dialog.value === "delete" && html`<${Delete} onClose=${close} />`}`;
}

function Password() {
  const task = useTask();
  const password = useSignal("");
  const new_password = useSignal("");
  const work = async () => {
    await api.post("/me/password", { password: password.value, new_password: new_password.value });
    password.value = new_password.value = "";
    toast("Your password has been changed. Your other logins and your tokens have ended.");
  };
  return html`
    <${Form} task=${task} work=${work}>
      <${Field} label="Current password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
      <${Field} label="New password" name="new_password" task=${task} value=${new_password} type="password" autocomplete="new-password" hint="At least 8 characters." required />
      <${Refusal} task=${task} fields=${["password", "new_password"]} />
      <${Submit} task=${task}>Change password<//>
    <//>`;
}

function Sessions() {
  const pages = useMemo(() => /** @type {Pages<Session>} */ (new Pages("/me/sessions", {})), []);
  useEffect(() => void pages.first(), []);
  const end = async (/** @type {Session} */ session) => {
    try {
      await api.delete(`/me/sessions/${session.id}`);
      if (session.is_current) forgetMe();
      else await pages.first();
    } catch (error) {
      toast(asProblem(error).message);
    }
  };
  return html`<${Paged} pages=${pages} empty=${html`<p>No logins.</p>`} each=${(/** @type {Session} */ session) => html`
    <li key=${session.id} class="row">
      <div class="grow"><strong>${asDevice(session.label)}</strong>${session.is_current && html` <span class="tag">This browser</span>`}
        <p class="quiet">since ${asDate(session.opened_at)} · last used ${ago(session.refreshed_at)}</p></div>
      <button class="button" type="button" onClick=${() => end(session)}>Log out</button>
    </li>`} />`;
}

/** @param {{ onClose: () => void }} props */
function Delete({ onClose }) {
  const task = useTask();
  const password = useSignal("");
  const work = async () => {
    await api.delete("/me", { password: password.value });
    forgetMe();
    onClose();
    go("/");
    toast("Your account has been deleted.");
  };
  return html`
    <${Dialog} title="Delete your account?" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <p>This cannot be undone. Enter your password to continue.</p>
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        <${Refusal} task=${task} fields=${["password"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button>
          <button class="button danger" type="submit" aria-disabled=${task.busy.value}>Delete my account</button></footer>
      <//>
    <//>`;
}
