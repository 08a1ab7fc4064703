// Log in, or register if the owner allows it.

import { address, go } from "../site/addresses.js";
import { api } from "../site/api.js";
import { loggedIn, me, settings } from "../site/session.js";
import { html, useEffect, useSignal } from "../parts/html.js";
import { Field, Form, Submit } from "../parts/form.js";
import { Refusal, useTask } from "../parts/task.js";
import { useTitle } from "../parts/title.js";

/** The page that asked for the login; only ever on this site. */
function back() {
  const to = address.value.query.get("to") ?? "/";
  return /^\/(?![\\/])/.test(to) ? to : "/";
}

/** @param {{ params: string[] }} props */
export function Screen({ params: [which] }) {
  const isNew = which === "register";
  useTitle(isNew ? "Register" : "Log in");
  useEffect(() => {
    // Only once: `me` may change again while the next screen is loading.
    if (me.value && address.value.path === `/${which}`) go(back(), { replace: true });
  }, [me.value]);
  const registration = settings.value?.registration;
  if (isNew && settings.value?.needs_setup) {
    return html`<div class="empty"><h1>This Perch is not set up yet</h1><p>Accounts can be created once it has an owner.</p><p><a class="button" href="/setup">Set up</a></p></div>`;
  }
  if (isNew && registration === "closed") {
    return html`<div class="empty"><h1>Registration is closed</h1><p>The owner of this site creates the accounts. Ask them for one.</p><p><a class="button" href="/login">Log in</a></p></div>`;
  }
  return isNew ? html`<${Register} needsApproval=${registration === "approval"} />` : html`<${LogIn} mayRegister=${registration !== "closed" && !settings.value?.needs_setup} />`;
}

/** For somebody whose account waits. */
function Waiting() {
  return html`<div class="empty" role="status"><h1>Nearly there</h1><p>Your account waits for the approval of the owner of this site. You can log in once they have approved it.</p><p><a class="button" href="/">See the streams</a></p></div>`;
}

/** @param {{ mayRegister: boolean }} props */
function LogIn({ mayRegister }) {
  const task = useTask();
  const username = useSignal("");
  const password = useSignal("");
  const work = async () => loggedIn(await api.post("/auth/login", { username: username.value.trim(), password: password.value }));
  if (task.problem.value?.code === "pending_approval") return html`<${Waiting} />`;
  return html`
    <div class="gate">
      <h1>Log in</h1>
      ${address.value.query.has("restored") && html`<p class="notice" role="status">The backup is restored. Everyone has to log in again, with the password from the time of the backup.</p>`}
      <${Form} task=${task} work=${work}>
        <${Field} label="Username" name="username" task=${task} value=${username} autocomplete="username" autocapitalize="none" spellcheck=${false} required />
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="current-password" required />
        <${Refusal} task=${task} fields=${["username", "password"]} />
        <${Submit} task=${task}>Log in<//>
      <//>
      ${mayRegister && html`<p class="aside">New here? <a href="/register${address.value.query.get("to") ? `?to=${encodeURIComponent(back())}` : ""}">Create an account</a></p>`}
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
  if (isPending.value) return html`<${Waiting} />`;
  return html`
    <div class="gate">
      <h1>Create an account</h1>
      ${needsApproval && html`<p>The owner of this site has to approve new accounts.</p>`}
      <${Form} task=${task} work=${work}>
        <${Field} label="Username" name="username" task=${task} value=${username} maxlength="20" autocomplete="username" autocapitalize="none" spellcheck=${false}
          hint="Up to 20 letters, digits, “_”, “-” and “.”" required />
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="new-password" hint="At least 8 characters." required />
        <${Refusal} task=${task} fields=${["username", "password"]} />
        <${Submit} task=${task}>Create account<//>
      <//>
      <p class="aside">Already have an account? <a href="/login">Log in</a></p>
    </div>`;
}
