// For the owner: the site's name, and who can register.

import { api } from "../../site/api.js";
import { loadSettings, settings } from "../../site/session.js";
import { Choice, Field, Form, Submit } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";
import { REGISTRATION } from "../../site/words.js";

export function Site() {
  const task = useTask();
  const site_name = useSignal(settings.value?.site_name ?? "");
  const registration = useSignal(/** @type {string} */ (settings.value?.registration ?? "approval"));
  const new_user_role = useSignal(/** @type {string} */ (settings.value?.new_user_role ?? ""));
  // Another owner's browser may have changed it since this page was opened.
  useEffect(() => {
    loadSettings().then(() => {
      const now = settings.value;
      if (!now) return;
      site_name.value = now.site_name;
      registration.value = now.registration;
      new_user_role.value = now.new_user_role ?? "";
    }).catch(() => {});
  }, []);
  const work = async () => {
    await api.patch("/settings", {
      site_name: site_name.value, registration: registration.value, ...(new_user_role.value ? { new_user_role: new_user_role.value } : {}),
    });
    await loadSettings();
    toast("Saved.");
  };
  return html`
    <${Form} task=${task} work=${work}>
      <${Field} label="Site name" name="site_name" task=${task} value=${site_name} maxlength="100" required />
      <${Choice} label="Who can register" name="registration" task=${task} value=${registration} choices=${REGISTRATION} />
      <${Choice} label="New accounts can" name="new_user_role" task=${task} value=${new_user_role}
        choices=${[...(new_user_role.value ? [] : [["", "no change"]]), ["viewer", "watch, follow and chat"], ["streamer", "also go live"]]} />
      <${Refusal} task=${task} fields=${["site_name", "registration", "new_user_role"]} />
      <${Submit} task=${task}>Save<//>
    <//>`;
}
