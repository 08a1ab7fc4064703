// The user's API tokens: other programs ask with them in the user's name. A token is shown once, when it is made.

import { api } from "../../site/api.js";
import { at } from "../../site/base.js";
import { clock } from "../../site/clock.js";
import { ago, asDate } from "../../site/words.js";
import { CopyField } from "../../parts/copyfield.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Choice, Field, Form, Submit, Switch } from "../../parts/form.js";
import { html, useEffect, useMemo, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { Paged, Pages } from "../../parts/list.js";
import { Refusal, useTask } from "../../parts/task.js";

/** @import { ApiToken, MadeApiToken, Scope } from "../../types.js" */

/** @type {[Scope, string, string][]} */
const SCOPES = [
  ["read", "Read", "See what you see."],
  ["chat", "Chat", "Write in chats, and moderate yours."],
  ["go-live", "Go live", "Start, change and stop your streams."],
  ["manage", "Manage", "Change everything else you may change, but no passwords, logins and accounts."],
];
const WATCH = "Watch, at an address that holds the token";
/** Days, and their words. @type {[string, string][]} */
const LASTS = [["30", "30 days"], ["90", "90 days"], ["365", "A year"], ["", "Until you revoke it"]];

/** @param {ApiToken} token */
const mayWords = ({ scopes }) => (scopes.includes("watch") ? WATCH : SCOPES.filter(([scope]) => scopes.includes(scope)).map(([, words]) => words).join(", "));

/** @param {ApiToken} token */
function validWords({ expires_at }) {
  if (!expires_at) return "until you revoke it";
  return Date.parse(expires_at) <= (clock.now() ?? Date.now()) ? `expired ${ago(expires_at)}` : `until ${asDate(expires_at)}`;
}

export function Tokens() {
  const pages = useMemo(() => /** @type {Pages<ApiToken>} */ (new Pages("/me/tokens", {})), []);
  const dialog = useSignal(/** @type {null | { does: "make" } | { does: "revoke", token: ApiToken }} */ (null));
  useEffect(() => void pages.first(), []);
  const close = () => (dialog.value = null);
  const open = dialog.value;
  return html`
    <h3>Tokens for programs</h3>
    <p>With a token, a program can use Perch in your name without your password. A new password ends all of them.</p>
    <${Paged} pages=${pages} empty=${html`<p>No tokens.</p>`} each=${(/** @type {ApiToken} */ token) => html`
      <li key=${token.id} class="row">
        <div class="grow"><strong>${token.name}</strong> <span class="quiet">${mayWords(token)}</span>
          <p class="quiet">${token.last_used_at ? `last used ${ago(token.last_used_at)}` : "never used"} · ${validWords(token)}</p></div>
        <button class="button" type="button" aria-label="Revoke ${token.name}" onClick=${() => (dialog.value = { does: "revoke", token })}>Revoke</button>
      </li>`} />
    <p><button class="button" type="button" onClick=${() => (dialog.value = { does: "make" })}><${Icon} name="plus" />New token</button></p>
    ${open?.does === "make" && html`<${Make} onMade=${() => pages.first()} onClose=${close} />`}
    ${open?.does === "revoke" && html`<${Confirm} title="Revoke the token ${open.token.name}?" words="Programs that use it can no longer use Perch." action="Revoke token" onClose=${close}
      work=${async () => { await api.delete(`/me/tokens/${open.token.id}`); await pages.first(); }} />`}`;
}

/** @param {{ onMade: () => Promise<unknown>, onClose: () => void }} props */
function Make({ onMade, onClose }) {
  const task = useTask();
  const [name, kind, days] = [useSignal(""), useSignal("program"), useSignal("90")];
  const chosen = useSignal(/** @type {Scope[]} */ (["read"]));
  const made = useSignal(/** @type {MadeApiToken | null} */ (null));
  const set = (/** @type {Scope} */ scope, /** @type {boolean} */ on) => (chosen.value = [...chosen.value.filter((other) => other !== scope), ...(on ? [scope] : [])]);
  const work = async () => {
    made.value = await api.post("/me/tokens", {
      name: name.value, scopes: kind.value === "watch" ? ["watch"] : chosen.value, ...(days.value ? { expires_in_days: Number(days.value) } : {}),
    });
    await onMade();
  };
  if (made.value) {
    return html`
      <${Dialog} title="Your new token" onClose=${onClose}>
        <${CopyField} label="Token" value=${made.value.token} hint="Copy it now: Perch does not show it again." isSecret />
        ${made.value.scopes.includes("watch") && html`<${CopyField} label="Address of what is live" value=${location.origin + at(`/media/by-token/${made.value.token}/live/index.m3u8`)} isSecret />`}
        <footer><button class="button primary" type="button" onClick=${onClose}>Done</button></footer>
      <//>`;
  }
  return html`
    <${Dialog} title="New token" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Field} label="Name" name="name" task=${task} value=${name} maxlength="60" hint="What it is for." required />
        <${Choice} label="It is for" name="kind" task=${task} choices=${[["program", "A program"], ["watch", "A player or a page that cannot log in"]]} value=${kind}
          hint=${kind.value === "watch" ? "It is part of the address, and only shows streams and pictures." : ""} />
        ${kind.value === "program" && html`
          <fieldset class="field"><legend>It may</legend>
            ${SCOPES.map(([scope, words, hint]) => html`<${Switch} key=${scope} label=${words} hint=${hint}
              value=${{ get value() { return chosen.value.includes(scope); }, set value(on) { set(scope, on); } }} />`)}
          </fieldset>`}
        <${Choice} label="It is valid for" name="expires_in_days" task=${task} choices=${LASTS} value=${days} />
        <${Refusal} task=${task} fields=${["name", "expires_in_days"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Make token<//></footer>
      <//>
    <//>`;
}
