// Log in, or register where the owner lets people do so.

import { address, go } from "../site/addresses.js";
import { api } from "../site/api.js";
import { loggedIn, me, settings } from "../site/session.js";
import { html, useEffect, useSignal } from "../parts/html.js";
import { Field, Form, Submit } from "../parts/form.js";
import { Refusal, useTask } from "../parts/task.js";
import { useTitle } from "../parts/title.js";

/** Back to where somebody was asked to log in; only ever to this site. */
function back() {
  const to = address.value.query.get("to") ?? "/";
  return /^\/(?![\\/])/.test(to) ? to : "/";
}

/** @param {{ params: string[] }} props */
export function Screen({ params: [which] }) {
  const isNew = which === "register";
  useTitle(isNew ? "Register" : "Log in");
  useEffect(() => {
    // Once: the next screen may still be on its way when more is learnt of oneself.
    if (me.value && address.value.path === `/${which}`) go(back(), { replace: true });
  }, [me.value]);
  const registration = settings.value?.registration;
  if (isNew && registration === "closed") {
    return html`<div class="empty"><h1>Registration is closed</h1><p>The owner of this site makes the accounts. Ask them for one.</p><p><a class="button" href="/login">Log in</a></p></div>`;
  }
  return isNew ? html`<${Register} needsApproval=${registration === "approval"} />` : html`<${LogIn} mayRegister=${registration !== "closed"} />`;
}

/** @param {{ mayRegister: boolean }} props */
function LogIn({ mayRegister }) {
  const task = useTask();
  const username = useSignal("");
  const password = useSignal("");
  const work = async () => loggedIn(await api.post("/auth/login", { username: username.value.trim(), password: password.value }));
  return html`
    <div class="gate">
      <h1>Log in</h1>
      ${address.value.query.has("restored") && html`<p class="notice" role="status">The backup is restored. Everybody has to log in again, with the password from the time it was made.</p>`}
      <${Form} task=${task} work=${work}>
        <${Field} label="Username" name="username" task=${task} value=${username} autocomplete="username" autocapitalize="none" spellcheck=${false} required />
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        <${Refusal} task=${task} fields=${["username", "password"]} />
        <${Submit} task=${task}>Log in<//>
      <//>
      ${mayRegister && html`<p class="aside">New here? <a href="/register${address.value.query.get("to") ? `?to=${encodeURIComponent(back())}` : ""}">Make an account</a></p>`}
    </div>`;
}

/** @param {{ needsApproval: boolean }} props */
function Register({ needsApproval }) {
  const task = useTask();
  const username = useSignal("");
  const password = useSignal("");
  const isPending = useSignal(false);
  const work = async () => {
    const answer = await api.post("/auth/register", { username: username.value.trim(), password: password.value });
    if (answer?.access_token) loggedIn(answer);
    else isPending.value = true;
  };
  if (isPending.value || task.problem.value?.code === "pending_approval") {
    return html`<div class="empty" role="status"><h1>Nearly there</h1><p>The owner of this site has to approve your account. After that you can log in.</p><p><a class="button" href="/">To the streams</a></p></div>`;
  }
  return html`
    <div class="gate">
      <h1>Make an account</h1>
      ${needsApproval && html`<p>The owner of this site approves every new account.</p>`}
      <${Form} task=${task} work=${work}>
        <${Field} label="Username" name="username" task=${task} value=${username} maxlength="20" autocomplete="username" autocapitalize="none" spellcheck=${false}
          hint="Up to 20 letters, digits, and _ - ." required />
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="new-password" hint="At least 8 characters." required />
        <${Refusal} task=${task} fields=${["username", "password"]} />
        <${Submit} task=${task}>Make the account<//>
      <//>
      <p class="aside">Have one already? <a href="/login">Log in</a></p>
    </div>`;
}
