// Runs before everything else and imports nothing: asks what the first screen will need, while the rest of the page is still on its way.

/** @import { Settings } from "./types.js" */

/** Whether this browser has seen the site set up: what `/` shows until then is not loaded ahead any more. */
const IS_SET_UP = "perch.is-set-up";

/** @returns {Promise<Settings>} */
async function ask() {
  const response = await fetch("/api/v1/settings", { cache: "no-cache" });
  if (!response.ok) throw new Error(`settings: ${response.status}`);
  /** @type {Settings} */
  const settings = await response.json();
  try {
    if (settings.needs_setup) localStorage.removeItem(IS_SET_UP);
    else localStorage.setItem(IS_SET_UP, "yes");
  } catch {
    // No storage allowed: a little more is loaded ahead.
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

/** The first answer; later ones are `site/session.js`'s. */
export const firstSettings = ask();
// Whoever wants it sees the failure.
firstSettings.catch(() => {});

const { pathname } = location;
if (pathname === "/" ? mayNeedSetup() : pathname.startsWith("/watch/")) {
  // Pictures come last of all that is loaded, and are what people came for.
  import("./player.js").catch(() => {});
}
