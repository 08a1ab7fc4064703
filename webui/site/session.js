// Who is logged in, and what the site is: two signals that every screen may read.

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
    // Logged out elsewhere, or away; what is read next tells which.
    if (!isLoggedIn()) me.value = null;
    else me.value ??= null;
  }
}

export async function loadSettings() {
  settings.value = await api.get("/settings");
}

/** The answer that was asked for before this module was here. */
export async function loadFirstSettings() {
  try {
    settings.value = await firstSettings;
  } catch {
    // With a login that has to be renewed first, or with words for what is wrong.
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

/** The login is over, whoever ended it. */
export function forgetMe() {
  forget();
  me.value = null;
}

/** Puts what an answer told of oneself into what is known. @param {Partial<Me>} news */
export function learnOfMe(news) {
  if (me.value) me.value = { ...me.value, ...news };
}

onLoginElsewhere(loadMe);
addEventListener("perch-logged-out", forgetMe);
// A login that was found again.
addEventListener("perch-renewed", () => void (me.peek() === null && loadMe()));
