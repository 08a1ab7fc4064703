// For the owner: which other sites may show the player, and play public streams.

import { api } from "../../site/api.js";
import { Field, Form, Submit, Switch } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/** @param {string} text */
const listed = (text) => text.split(/[\s,]+/).filter(Boolean);

export function OtherSites() {
  const task = useTask();
  const frame_ancestors = useSignal("");
  const media_origins = useSignal("");
  const plays = useSignal(true);
  /** @param {{ frame_ancestors: string[], media_origins: string[] }} now */
  const show = (now) => {
    frame_ancestors.value = now.frame_ancestors.join("\n");
    plays.value = now.media_origins.includes("*");
    media_origins.value = now.media_origins.filter((origin) => origin !== "*").join("\n");
  };
  useEffect(() => void task.run(async () => show(await api.get("/settings/other-sites"))), []);
  const work = async () => {
    show(await api.patch("/settings/other-sites", {
      frame_ancestors: listed(frame_ancestors.value), media_origins: plays.value ? ["*"] : listed(media_origins.value),
    }));
    toast("Saved.");
  };
  return html`
    <${Form} task=${task} work=${work}>
      <${Field} label="Sites that may show the player" name="frame_ancestors" task=${task} value=${frame_ancestors} rows="3" autocapitalize="none" spellcheck=${false}
        hint="One address a line, such as https://example.org. Empty: no other site. *: every site." />
      <${Switch} label="Players on every site may play public streams" value=${plays} />
      ${!plays.value && html`<${Field} label="Sites that may play public streams" name="media_origins" task=${task} value=${media_origins} rows="3" autocapitalize="none" spellcheck=${false}
        hint="One address a line. Programs such as VLC can play them in any case." />`}
      <${Refusal} task=${task} fields=${["frame_ancestors", "media_origins"]} />
      <${Submit} task=${task}>Save<//>
    <//>`;
}
