// Which address is shown: the browser's history as a signal, and links that stay in the page.

import { signal } from "../vendor/signals.js";

/** @typedef {{ path: string, query: URLSearchParams }} Address */

const here = () => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const address = signal(/** @type {Address} */ (here()));

/** How the address last changed: by going back it wants its old place on the page. */
let cameBack = false;
export const hasComeBack = () => cameBack;

/**
 * @param {string} to  path and query
 * @param {{ replace?: boolean }} [how]  `replace`: not worth a step back, like a letter typed into the search
 */
export function go(to, { replace = false } = {}) {
  if (to === location.pathname + location.search) return;
  keepPlace();
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  cameBack = false;
  const samePath = address.value.path === location.pathname;
  address.value = here();
  if (!samePath) scrollTo(0, 0);
}

/** Remembers how far down this page was. */
function keepPlace() {
  history.replaceState({ scroll: scrollY }, "");
}

/** Goes to where this page was when it was left. */
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
    // A place on this page, or what the daemon and not the page answers.
    if (link.hash || /^\/(media|api|assets)\//.test(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
