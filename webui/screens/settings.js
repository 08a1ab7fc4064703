// Settings: the user's account; for the owner also the site. Each part has an address of its own.

import { me } from "../site/session.js";
import { html, useEffect, useRef } from "../parts/html.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { useTitle } from "../parts/title.js";
import { Accounts } from "./settings/accounts.js";
import { Backup } from "./settings/backup.js";
import { Cameras } from "./settings/cameras.js";
import { Profile } from "./settings/profile.js";
import { RecordingsPart } from "./settings/recordings.js";
import { Security } from "./settings/security.js";
import { Site } from "./settings/site.js";
import { SystemPart } from "./settings/system.js";
import { Topics } from "./settings/topics.js";

/** @type {{ key: string, words: string, part: () => any, isOwners: boolean }[]} */
const PARTS = [
  { key: "", words: "Profile", part: Profile, isOwners: false },
  { key: "security", words: "Password and logins", part: Security, isOwners: false },
  { key: "site", words: "Site", part: Site, isOwners: true },
  { key: "people", words: "People", part: Accounts, isOwners: true },
  { key: "topics", words: "Topics", part: Topics, isOwners: true },
  { key: "cameras", words: "Cameras", part: Cameras, isOwners: true },
  { key: "recordings", words: "Recordings", part: RecordingsPart, isOwners: true },
  { key: "backup", words: "Backup", part: Backup, isOwners: true },
  { key: "system", words: "System", part: SystemPart, isOwners: true },
];

/** @param {{ params: string[] }} props */
export function Screen({ params: [asked = ""] }) {
  const who = me.value;
  const parts = PARTS.filter(({ isOwners }) => !isOwners || who?.role === "owner");
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
