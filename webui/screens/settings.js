// Settings: the user's account; for streamers also their recordings, for the owner the site. Each part has an address of its own.

import { me } from "../site/session.js";
import { html, useEffect, useRef } from "../parts/html.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { useTitle } from "../parts/title.js";
import { Accounts } from "./settings/accounts.js";
import { Backup } from "./settings/backup.js";
import { Cameras } from "./settings/cameras.js";
import { Keeping } from "./settings/retention.js";
import { OtherSites } from "./settings/othersites.js";
import { HttpsPart } from "./settings/https.js";
import { Profile } from "./settings/profile.js";
import { Programs } from "./settings/programs.js";
import { RecordingsPart } from "./settings/recordings.js";
import { Relays } from "./settings/relays.js";
import { Security } from "./settings/security.js";
import { Site } from "./settings/site.js";
import { SystemPart } from "./settings/system.js";
import { Topics } from "./settings/topics.js";
import { Webhooks } from "./settings/webhooks.js";

/** @import { Role } from "../types.js" */

/** `from`: the least role that has this part. @type {{ key: string, words: string, part: () => any, from: Role }[]} */
const PARTS = [
  { key: "", words: "Profile", part: Profile, from: "viewer" },
  { key: "security", words: "Password and logins", part: Security, from: "viewer" },
  { key: "site", words: "Site", part: Site, from: "owner" },
  { key: "people", words: "People", part: Accounts, from: "owner" },
  { key: "sharing", words: "Other sites", part: OtherSites, from: "owner" },
  { key: "topics", words: "Topics", part: Topics, from: "owner" },
  { key: "cameras", words: "Cameras", part: Cameras, from: "owner" },
  { key: "recordings", words: "Recordings", part: RecordingsPart, from: "streamer" },
  { key: "keeping", words: "How long things are kept", part: Keeping, from: "owner" },
  { key: "programs", words: "Other programs", part: Programs, from: "streamer" },
  { key: "relays", words: "Relays", part: Relays, from: "owner" },
  { key: "https", words: "HTTPS", part: HttpsPart, from: "owner" },
  { key: "webhooks", words: "Webhooks", part: Webhooks, from: "owner" },
  { key: "backup", words: "Backup", part: Backup, from: "owner" },
  { key: "system", words: "System", part: SystemPart, from: "owner" },
];

/** @param {{ params: string[] }} props */
export function Screen({ params: [asked = ""] }) {
  const who = me.value;
  const parts = PARTS.filter(({ from }) => from === "viewer" || who?.role === "owner" || who?.role === from);
  const now = parts.find(({ key }) => key === asked) ?? parts[0];
  useTitle(now?.words ?? "Settings");
  const nav = useRef(/** @type {HTMLElement | null} */ (null));
  // On a phone the parts are in one line, longer than the screen.
  useEffect(() => nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [now?.key, who?.username]);
  if (!who || !now) return html`<${LogInFirst} words="Log in to change your settings." />`;
  return html`
    <div class="settings">
      <h1>Settings</h1>
      <nav ref=${nav} class="settings-parts" aria-label="Settings">
        ${parts.map(({ key, words }) => html`<a key=${key} href=${key ? `/settings/${key}` : "/settings"} aria-current=${key === now.key ? "page" : null}>${words}</a>`)}
      </nav>
      <section class="settings-part" aria-labelledby="part-title"><h2 id="part-title">${now.words}</h2><${now.part} key=${now.key} /></section>
    </div>`;
}
