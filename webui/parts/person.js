// A person: picture, name, follow button.

import { api } from "../site/api.js";
import { within } from "../site/base.js";
import { me } from "../site/session.js";
import { nameOf } from "../site/words.js";
import { go } from "../site/addresses.js";
import { html, useSignal } from "./html.js";
import { toast } from "./toast.js";

/** @import { UserRef } from "../types.js" */

/** @param {string} username */
export const profileOf = (username) => `/u/${encodeURIComponent(username)}`;

/** Without a picture: the first letter on one of six colours, always the same for a person. @param {{ user: UserRef | null, size?: "small" | "large" }} props */
export function Avatar({ user, size }) {
  const classes = `avatar ${size ?? ""}`;
  if (user?.avatar_url) return html`<img class=${classes} src=${user.avatar_url} alt="" loading="lazy" decoding="async" />`;
  const name = user ? nameOf(user) : "?";
  let hue = 0;
  for (const letter of user?.username ?? "") hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 6;
  return html`<span class=${classes} data-hue=${hue} aria-hidden="true">${[...name][0]?.toUpperCase()}</span>`;
}

/** Picture and name, linked to the profile. @param {{ user: UserRef, children?: any }} props */
export function Person({ user, children }) {
  return html`
    <div class="person">
      <a href=${profileOf(user.username)} tabindex="-1" aria-hidden="true"><${Avatar} user=${user} /></a>
      <div><a class="name" href=${profileOf(user.username)}>${nameOf(user)}</a><p class="quiet">${children ?? `@${user.username}`}</p></div>
    </div>`;
}

/**
 * @param {{ username: string, isFollowing: boolean | null, onChange?: (follows: boolean) => void }} props
 *     isFollowing: null without a login, and for the user's own account
 */
export function FollowButton({ username, isFollowing, onChange }) {
  const busy = useSignal(false);
  const now = useSignal(/** @type {boolean | null} */ (null));
  if (me.value?.username === username) return null;
  const follows = now.value ?? isFollowing ?? false;
  const toggle = async () => {
    if (!me.value) return go(loginThenBack());
    if (busy.value) return;
    busy.value = true;
    now.value = !follows;
    try {
      const path = `/users/${encodeURIComponent(username)}/follow`;
      await (follows ? api.delete(path) : api.put(path));
      onChange?.(!follows);
    } catch (error) {
      now.value = follows;
      toast(/** @type {Error} */ (error).message);
    } finally {
      busy.value = false;
    }
  };
  return html`<button class="button ${follows ? "" : "primary"}" type="button" aria-pressed=${follows} onClick=${toggle}>${follows ? "Following" : "Follow"}</button>`;
}

/** The address of the login screen, which returns here. */
export const loginThenBack = () => `/login?to=${encodeURIComponent(within(location.pathname) + location.search)}`;
