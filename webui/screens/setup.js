// First run: a person who can read the board's screen, journal or files creates the owner's account.

import { go } from "../site/addresses.js";
import { api } from "../site/api.js";
import { loadSettings, loggedIn, settings } from "../site/session.js";
import { REGISTRATION } from "../site/words.js";
import { html, useSignal } from "../parts/html.js";
import { Choice, Field, Form, Submit } from "../parts/form.js";
import { Refusal, useTask } from "../parts/task.js";
import { useTitle } from "../parts/title.js";

export function Screen() {
  useTitle("Set up");
  const task = useTask();
  const code = useSignal("");
  const username = useSignal("");
  const password = useSignal("");
  const registration = useSignal("approval");
  if (settings.value?.needs_setup === false) {
    return html`<div class="empty"><h1>This Perch is set up</h1><p>It already has an owner.</p><p><a class="button primary" href="/login">Log in</a></p></div>`;
  }
  const work = async () => {
    loggedIn(await api.post("/setup", { setup_code: code.value.trim(), username: username.value, password: password.value, registration: registration.value }));
    await loadSettings();
    go("/live", { replace: true });
  };
  return html`
    <div class="gate">
      <h1>Set up this Perch</h1>
      <p>You are about to become its owner. You decide who can join and what is shown.</p>
      <details class="choice" open>
        <summary>Where to find the setup code</summary>
        <ul>
          <li>in Perch's log: in the terminal where you started it, or with <code>journalctl -u perchd</code></li>
          <li>on the board, with <code>sudo perchd setup-code</code></li>
          <li>in the file <code>setup-code</code> in Perch's data folder, which only root can read</li>
        </ul>
      </details>
      <${Form} task=${task} work=${work}>
        <${Field} label="Setup code" name="setup_code" task=${task} value=${code} autocomplete="one-time-code" autocapitalize="characters" spellcheck=${false} required />
        <${Field} label="Username" name="username" task=${task} value=${username} maxlength="20" autocomplete="username" autocapitalize="none" spellcheck=${false}
          hint="Up to 20 letters, digits, “_”, “-” and “.”" required />
        <${Field} label="Password" name="password" task=${task} value=${password} type="password" autocomplete="new-password" hint="At least 8 characters." required />
        <${Choice} label="Who can register" name="registration" task=${task} value=${registration} choices=${REGISTRATION}
          hint="New accounts can watch, follow and chat. Who else can go live, you decide later." />
        <${Refusal} task=${task} fields=${["setup_code", "username", "password", "registration"]} />
        <${Submit} task=${task}>Become the owner<//>
      <//>
    </div>`;
}
