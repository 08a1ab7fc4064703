// The top of every screen: the site's name, the main links, the user's menu.

import { address } from "../site/addresses.js";
import { logOut, me, settings } from "../site/session.js";
import { nameOf } from "../site/words.js";
import { html, useEffect, useRef, useSignal } from "./html.js";
import { Icon } from "./icon.js";
import { Avatar, profileOf } from "./person.js";
import { toast } from "./toast.js";

/** Whether a role may go live. @param {string | undefined} role */
export const mayGoLive = (role) => role === "owner" || role === "streamer";

export function Header() {
  const who = me.value;
  const name = settings.value?.site_name || "Perch";
  const unread = who?.unread_notifications ?? 0;
  return html`
    <a class="skip" href="#main">Skip to content</a>
    <header class="top" data-member=${Boolean(who)}>
      <a class="home" href="/"><img src=${LOGO} alt="" width="30" height="30" /><span>${name}</span></a>
      <nav aria-label="Site">
        <${Way} to="/" icon="compass" words="Discover" />
        ${who && html`<${Way} to="/following" icon="people" words="Following" />`}
      </nav>
      <div class="top-end">
        ${who && mayGoLive(who.role) && html`<a class="button primary go-live" href="/live"><${Icon} name="live" /><span>Go live</span></a>`}
        ${who && html`
          <a class="button quiet square bell" href="/notifications" aria-label=${unread ? `Notifications, ${unread} unread` : "Notifications"}>
            <${Icon} name="bell" />${unread > 0 && html`<span class="badge" aria-hidden="true">${unread > 99 ? "99+" : unread}</span>`}
          </a>
          <${Menu} who=${who} />`}
        ${who === null && settings.value && (settings.value.needs_setup
          ? html`<a class="button primary" href="/setup">Set up</a>`
          : html`<a class="button" href="/login">Log in</a>`)}
      </div>
    </header>`;
}

/** The logo's versioned address, from the document. */
const LOGO = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=icon]"))?.href ?? "";

/** @param {{ to: string, icon: any, words: string }} props */
function Way({ to, icon, words }) {
  const isHere = address.value.path === to;
  return html`<a href=${to} aria-current=${isHere ? "page" : null}><${Icon} name=${icon} /><span>${words}</span></a>`;
}

/** @param {{ who: import("../types.js").Me }} props */
function Menu({ who }) {
  const isOpen = useSignal(false);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const button = useRef(/** @type {HTMLElement | null} */ (null));
  const { path } = address.value;
  useEffect(() => {
    isOpen.value = false;
  }, [path]);
  useEffect(() => {
    const onPress = (/** @type {Event} */ event) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) isOpen.value = false;
    };
    addEventListener("pointerdown", onPress);
    return () => removeEventListener("pointerdown", onPress);
  }, []);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !isOpen.value) return;
    isOpen.value = false;
    button.current?.focus();
  };
  const onLeave = (/** @type {FocusEvent} */ event) => {
    if (event.relatedTarget instanceof Node && !box.current?.contains(event.relatedTarget)) isOpen.value = false;
  };
  const leave = async () => {
    try {
      await logOut(false);
      toast("You are logged out.");
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  };
  return html`
    <div class="menu" ref=${box} onKeyDown=${onKey} onFocusOut=${onLeave}>
      <button ref=${button} class="menu-button" type="button" aria-expanded=${isOpen.value} aria-controls="menu" onClick=${() => (isOpen.value = !isOpen.value)}>
        <${Avatar} user=${who} /><span class="sr-only">Menu of ${nameOf(who)}</span>
      </button>
      <div id="menu" class="menu-list" hidden=${!isOpen.value}>
        <p><strong>${nameOf(who)}</strong><br /><span class="quiet">@${who.username}</span></p>
        <a href=${profileOf(who.username)}><${Icon} name="person" />Profile</a>
        <a href="/?show=saved"><${Icon} name="save" />Saved streams</a>
        <a href="/settings"><${Icon} name="settings" />Settings</a>
        <button type="button" onClick=${leave}><${Icon} name="leave" />Log out</button>
      </div>
    </div>`;
}
