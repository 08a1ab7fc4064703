// The logged-in user and the site's settings: two signals that every screen may read.

import { firstSettings } from "../begin.js";
import { signal } from "../vendor/signals.js";
import { api } from "./api.js";
import { forget, isLoggedIn, onLoginElsewhere, remember } from "./login.js";

/** @import { LoginAnswer, Me, Settings } from "../types.js" */

/** undefined: not known yet. null: nobody. */
export const me = signal(/** @type {Me | null | undefined} */ (undefined));

/** null: not known yet. */
export const settings = signal(/** @type {Settings | null} */ (null));

export async function loadMe() {
  if (!isLoggedIn()) {
    me.value = null;
    return;
  }
  try {
    me.value = await api.get("/me");
  } catch {
    // Logged out elsewhere, or the daemon is away; the next request shows which.
    if (!isLoggedIn()) me.value = null;
    else me.value ??= null;
  }
}

export async function loadSettings() {
  settings.value = await api.get("/settings");
}

/** The settings that begin.js requested before this module was loaded. */
export async function loadFirstSettings() {
  try {
    settings.value = await firstSettings;
  } catch {
    // Again, renewing the login first if necessary, and with an error in words.
    await loadSettings();
  }
}

/** @param {LoginAnswer} answer */
export function loggedIn(answer) {
  remember(answer.expires_in);
  me.value = answer.user;
}

/** @param {boolean} everywhere */
export async function logOut(everywhere) {
  await api.post("/auth/logout", { everywhere });
  forgetMe();
}

/** The login has ended. */
export function forgetMe() {
  forget();
  me.value = null;
}

/** Updates `me` from a response. @param {Partial<Me>} news */
export function learnOfMe(news) {
  if (me.value) me.value = { ...me.value, ...news };
}

onLoginElsewhere(loadMe);
addEventListener("perch-logged-out", forgetMe);
// A login was recovered.
addEventListener("perch-renewed", () => void (me.peek() === null && loadMe()));
