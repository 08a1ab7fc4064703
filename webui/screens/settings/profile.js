// The user's profile: picture, name, biography; and the e-mail address, which others do not see.

import { api } from "../../site/api.js";
import { learnOfMe, me } from "../../site/session.js";
import { Field, Form, Submit } from "../../parts/form.js";
import { html, useId, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { Avatar } from "../../parts/person.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/** @import { Me } from "../../types.js" */

export function Profile() {
  const who = /** @type {Me} */ (me.value);
  const task = useTask();
  const username = useSignal(who.username);
  const full_name = useSignal(who.full_name);
  const email = useSignal(who.email ?? "");
  const bio = useSignal(who.bio);
  const work = async () => {
    const told = { username: username.value.trim(), full_name: full_name.value, email: email.value.trim(), bio: bio.value };
    // Only what has changed: the rest may have been changed elsewhere.
    const changes = Object.entries(told).filter(([key, value]) => value !== (who[/** @type {keyof Me} */ (key)] ?? ""));
    if (changes.length > 0) learnOfMe(await api.patch("/me", Object.fromEntries(changes)));
    toast("Saved.");
  };
  return html`
    <${AvatarField} who=${who} />
    <${Form} task=${task} work=${work}>
      <${Field} label="Username" name="username" task=${task} value=${username} maxlength="20" autocomplete="username" autocapitalize="none" spellcheck=${false} hint="Up to 20 letters, digits, “_”, “-” and “.”. It is part of your profile's address." />
      <${Field} label="Name" name="full_name" task=${task} value=${full_name} maxlength="100" autocomplete="name" />
      <${Field} label="E-mail" name="email" task=${task} value=${email} type="email" autocomplete="email" hint="Only you and the site's owner can see it." />
      <${Field} label="About you" name="bio" task=${task} value=${bio} rows="4" />
      <${Refusal} task=${task} fields=${["username", "full_name", "email", "bio"]} />
      <${Submit} task=${task}>Save<//>
    <//>`;
}

/** A chosen picture is uploaded at once. @param {{ who: Me }} props */
function AvatarField({ who }) {
  const id = useId();
  const task = useTask();
  const send = (/** @type {any} */ event) => {
    const input = event.currentTarget;
    const file = input.files[0];
    if (!file) return;
    task.run(async () => {
      const news = await api.put("/me/avatar", file);
      learnOfMe(news?.username ? news : await api.get("/me"));
    }).finally(() => (input.value = ""));
  };
  const remove = () => task.run(async () => {
    await api.delete("/me/avatar");
    learnOfMe({ avatar_url: null });
  });
  return html`
    <div class="avatar-field">
      <${Avatar} user=${who} size="large" />
      <div>
        <label for=${id} class="sr-only">Your picture</label>
        <span class="file"><input id=${id} type="file" accept="image/png,image/jpeg,image/webp" onChange=${send} /><span class="button" aria-hidden="true"><${Icon} name="picture" />Choose a picture</span></span>
        ${who.avatar_url && html`<button class="button quiet" type="button" onClick=${remove}>Remove</button>`}
        <p class="field-words">PNG, JPEG or WebP. Perch crops it to a square and removes the time and place it was taken.</p>
        <${Refusal} task=${task} />
      </div>
    </div>`;
}
