// Leads a phone or computer through trusting this Perch's authority. For everyone; the owner's part is in the settings.

import { api } from "../site/api.js";
import { html, useEffect, useSignal } from "../parts/html.js";
import { Refusal, useTask } from "../parts/task.js";
import { useTitle } from "../parts/title.js";

/** @import { Https } from "../types.js" */

const CERTIFICATE = "/api/v1/https/authority.crt";
const PROFILE = "/api/v1/https/perch.mobileconfig";

export function Screen() {
  useTitle("Secure connection");
  const https = useSignal(/** @type {Https | null} */ (null));
  const task = useTask();
  useEffect(() => void task.run(async () => (https.value = await api.get("/https"))), []);
  const now = https.value;
  return html`
    <div class="gate trust">
      <h1>Secure connection</h1>
      <${Refusal} task=${task} />
      ${now?.source === "off" && html`<p>HTTPS is off on this Perch. Its owner can switch it on under Settings, HTTPS.</p>`}
      ${now?.source === "files" && html`<p>Nothing has to be installed on this device: open <a href=${now.address}>${now.address}</a>.</p>`}
      ${now?.source === "own" && now.authority && html`<${Steps} address=${now.address ?? ""} authority=${now.authority} />`}
    </div>`;
}

/** @param {{ address: string, authority: NonNullable<Https["authority"]> }} props */
function Steps({ address, authority }) {
  const present = deviceOf(navigator.userAgent);
  const first = DEVICES.find(({ key }) => key === present);
  const others = DEVICES.filter((device) => device !== first);
  return html`
    <p>Tell this device once to trust this Perch. Until then its browser shows a warning at the secure address.</p>
    <div class="stack">${[...(first ? [first] : []), ...others].map((device) => html`
      <details key=${device.key} class="choice" open=${device === first}><summary>${device.words}</summary><${device.Part} name=${authority.name} /></details>`)}
    </div>
    <h2>Then</h2>
    <p>Open the secure address: <a href=${address}>${address}</a></p>
    <p class="field-words">The authority is called ${authority.name}. It can sign certificates for this Perch only, not for other sites. If the device shows a SHA-256 fingerprint, it must be this one:</p>
    <p class="field-words fingerprint">${authority.fingerprint}</p>`;
}

/** The devices, by what their browsers say of themselves. @param {string} agent */
export function deviceOf(agent) {
  if (/iPhone|iPad/.test(agent)) return "iphone";
  if (/Android/.test(agent)) return "android";
  if (/Firefox/.test(agent)) return "firefox";
  if (/Macintosh/.test(agent)) return "mac";
  if (/Windows/.test(agent)) return "windows";
  return /Linux|CrOS/.test(agent) ? "linux" : "";
}

/** @param {{ href: string, children: any }} props */
const Download = ({ href, children }) => html`<a class="button primary" href=${href} download>${children}</a>`;

/** @type {{ key: string, words: string, Part: (props: { name: string }) => any }[]} */
const DEVICES = [
  {
    key: "iphone", words: "iPhone and iPad",
    Part: ({ name }) => html`<ol>
      <li>In Safari: <${Download} href=${PROFILE}>Download the profile<//> and tap <strong>Allow</strong>.</li>
      <li>Open the Settings app, tap <strong>Profile Downloaded</strong>, then <strong>Install</strong>.</li>
      <li>In Settings, open <strong>General</strong>, <strong>About</strong>, <strong>Certificate Trust Settings</strong>, and switch on <strong>${name}</strong>.</li></ol>`,
  },
  {
    key: "android", words: "Android",
    Part: () => html`<ol>
      <li><${Download} href=${CERTIFICATE}>Download the certificate<//></li>
      <li>Open the Settings app and search for <strong>CA certificate</strong>. (Often it is under Security, More security settings, Install from device storage.)</li>
      <li>Tap <strong>CA certificate</strong>, <strong>Install anyway</strong>, and choose <strong>perch.crt</strong> in Downloads.</li></ol>
      <p class="field-words">Android warns that your data might be watched. This certificate works for this Perch only.</p>`,
  },
  {
    key: "mac", words: "Mac",
    Part: ({ name }) => html`<ol>
      <li><${Download} href=${PROFILE}>Download the profile<//> and open it.</li>
      <li>Open System Settings, search for <strong>Profiles</strong>, double-click <strong>${name}</strong>, and click <strong>Install</strong>.</li>
      <li>If Safari still shows a warning, open Keychain Access, double-click <strong>${name}</strong>, and under Trust choose <strong>Always Trust</strong>.</li></ol>`,
  },
  {
    key: "windows", words: "Windows",
    Part: () => html`<ol>
      <li><${Download} href=${CERTIFICATE}>Download the certificate<//> and open it.</li>
      <li>Click <strong>Install Certificate…</strong>, choose <strong>Current User</strong>, then <strong>Place all certificates in the following store</strong>.</li>
      <li>Click <strong>Browse…</strong>, choose <strong>Trusted Root Certification Authorities</strong>, and finish. Then start the browser again.</li></ol>`,
  },
  {
    key: "linux", words: "Linux and ChromeOS, with Chrome or Chromium",
    Part: () => html`<ol>
      <li><${Download} href=${CERTIFICATE}>Download the certificate<//></li>
      <li>In the browser's settings, open <strong>Privacy and security</strong>, <strong>Security</strong>, <strong>Manage certificates</strong>.</li>
      <li>Under <strong>Custom</strong>, <strong>Installed by you</strong>, <strong>Trusted certificates</strong>, click <strong>Import</strong> and choose <strong>perch.crt</strong>.</li></ol>`,
  },
  {
    key: "firefox", words: "Firefox on a computer",
    Part: () => html`<ol>
      <li><${Download} href=${CERTIFICATE}>Download the certificate<//></li>
      <li>In Firefox's settings, search for <strong>certificates</strong>, and click <strong>View Certificates…</strong></li>
      <li>Under <strong>Authorities</strong>, click <strong>Import…</strong>, choose <strong>perch.crt</strong>, and tick <strong>Trust this CA to identify websites</strong>.</li></ol>`,
  },
];
