// The current address: the browser's history as a signal, and links within the page.

import { signal } from "../vendor/signals.js";
import { at, base, within } from "./base.js";

/** @typedef {{ path: string, query: URLSearchParams }} Address */

const here = () => ({ path: within(location.pathname), query: new URLSearchParams(location.search) });

export const address = signal(/** @type {Address} */ (here()));

/** Whether the address last changed by going back, which restores the scroll position. */
let cameBack = false;
export const hasComeBack = () => cameBack;

/**
 * @param {string} to  path and query
 * @param {{ replace?: boolean }} [how]  `replace`: no history entry, as for each letter typed into the search
 */
export function go(to, { replace = false } = {}) {
  const there = at(to);
  if (there === location.pathname + location.search) return;
  keepPlace();
  if (replace) history.replaceState(null, "", there);
  else history.pushState(null, "", there);
  cameBack = false;
  const samePath = address.value.path === within(location.pathname);
  address.value = here();
  if (!samePath) scrollTo(0, 0);
}

/** Saves this page's scroll position. */
function keepPlace() {
  history.replaceState({ scroll: scrollY }, "");
}

/** Restores this page's scroll position. */
export function restorePlace() {
  const scroll = history.state?.scroll;
  if (cameBack && typeof scroll === "number") scrollTo(0, scroll);
}

export function followLinks() {
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => {
    cameBack = true;
    address.value = here();
  });
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    // A position on this page, another site's on this host, or an address that the daemon answers.
    if (link.hash || !link.pathname.startsWith(`${base}/`) || /^\/(media|api|assets)\//.test(within(link.pathname))) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
