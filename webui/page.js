// The page: the screen of each address, and the frame around it. Screens are loaded on first use.

import { address, followLinks, restorePlace } from "./site/addresses.js";
import { asProblem } from "./site/api.js";
import { followNotifications } from "./site/notifications.js";
import { loadFirstSettings, loadMe, settings } from "./site/session.js";
import { html, render, signal, useLayoutEffect, useRef, useSignalEffect } from "./parts/html.js";
import { Header } from "./parts/header.js";
import { Toasts } from "./parts/toast.js";

/**
 * @typedef {{ Screen: (props: { params: string[] }) => any }} Module
 * @typedef {{ Screen: Module["Screen"], params: string[], key: string }} Shown
 */

/** @type {[RegExp, () => Promise<Module>][]} */
const SCREENS = [
  [/^\/$/, () => import("./screens/discover.js")],
  [/^\/watch\/([^/]+)$/, () => import("./screens/watch.js")],
  [/^\/u\/([^/]+)(?:\/(followers|following))?$/, () => import("./screens/profile.js")],
  [/^\/live$/, () => import("./screens/golive.js")],
  [/^\/following$/, () => import("./screens/following.js")],
  [/^\/notifications$/, () => import("./screens/notifications.js")],
  [/^\/settings(?:\/([a-z]+))?$/, () => import("./screens/settings.js")],
  [/^\/(login|register)$/, () => import("./screens/login.js")],
  [/^\/setup$/, () => import("./screens/setup.js")],
  [/^\/trust$/, () => import("./screens/trust.js")],
  [/^\/wifi$/, () => import("./screens/wifi.js")],
];
const own = () => import("./screens/own.js");
const nowhere = () => import("./screens/nowhere.js");

const shown = signal(/** @type {Shown | null} */ (null));
const failure = signal("");

/** Before setup, `/` shows the board's own camera. */
const isOwn = () => settings.value?.needs_setup === true && address.value.path === "/";

async function choose() {
  const { path } = address.value;
  const [pattern, load] = isOwn() ? [/^\/$/, own] : (SCREENS.find(([pattern]) => pattern.test(path)) ?? [/^/, nowhere]);
  const params = (path.match(pattern) ?? []).slice(1).map((part) => decodeURIComponent(part ?? ""));
  try {
    const { Screen } = await load();
    // Unless the address has changed meanwhile.
    if (path === address.value.path) shown.value = { Screen, params, key: load === own ? "own" : path.replace(/^\/settings.*/, "settings").replace(/^(\/u\/[^/]+).*/, "$1") };
  } catch (error) {
    // After an upgrade of the daemon the page's files have new addresses. Reload only once, or a broken page would reload for ever.
    if (sessionStorage.getItem("perch.reloaded") !== path) {
      sessionStorage.setItem("perch.reloaded", path);
      location.reload();
    } else {
      failure.value = asProblem(error).message;
    }
  }
}

/** The screen; on a new address it gets the focus, so that a screen reader announces it. */
function Main() {
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const isFirst = useRef(true);
  const now = shown.value;
  useLayoutEffect(() => {
    if (!now) return;
    sessionStorage.removeItem("perch.reloaded");
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      restorePlace();
    }
    isFirst.current = false;
  }, [now?.key]);
  return html`
    <main id="main" ref=${main} tabindex="-1">
      ${failure.value && html`<div class="empty" role="alert"><p>${failure.value}</p></div>`}
      ${now && html`<${now.Screen} key=${now.key} params=${now.params} />`}
    </main>`;
}

function Page() {
  useSignalEffect(() => void choose());
  return html`<${Header} /><${Main} /><${Toasts} />`;
}

followLinks();
// The screen of `/` depends on it; every other address can start at once.
const known = loadFirstSettings().catch((error) => {
  failure.value = asProblem(error).message;
});
loadMe().then(followNotifications);
if (address.value.path === "/") await known;
const root = document.getElementById("page");
if (root) render(html`<${Page} />`, root);
