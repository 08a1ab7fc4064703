// Runs before everything else: requests what the first screen needs while the rest of the page is loading.

import { at, within } from "./site/base.js";

/** @import { Settings } from "./types.js" */

/** Set once this browser has seen the site after setup: the screen shown before setup is then no longer preloaded. */
const IS_SET_UP = "perch.is-set-up";

/** @returns {Promise<Settings>} */
async function ask() {
  const response = await fetch(at("/api/v1/settings"), { cache: "no-cache" });
  if (!response.ok) throw new Error(`settings: ${response.status}`);
  /** @type {Settings} */
  const settings = await response.json();
  try {
    if (settings.needs_setup) localStorage.removeItem(IS_SET_UP);
    else localStorage.setItem(IS_SET_UP, "yes");
  } catch {
    // No storage allowed: a little more is preloaded.
  }
  return settings;
}

function mayNeedSetup() {
  try {
    return localStorage.getItem(IS_SET_UP) === null;
  } catch {
    return true;
  }
}

/** The first settings; `site/session.js` requests later ones. */
export const firstSettings = ask();
// The failure is handled where the settings are awaited.
firstSettings.catch(() => {});

const path = within(location.pathname);
if (path === "/" ? mayNeedSetup() : path.startsWith("/watch/")) {
  // The player is needed last, but it shows what people came for.
  import("./player.js").catch(() => {});
}
