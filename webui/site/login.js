// Renews this browser's login. The tokens are in cookies that no script sees; only the access token's expiry is stored here,
// for all tabs. One tab renews for all, under a lease in localStorage (navigator.locks needs TLS, which a LAN site does not have).
// If the lease fails and two tabs use the same refresh token, the daemon answers both alike for 30 s; later it closes the login.

import { at } from "./base.js";

const LOGIN = "perch.login";
const LEASE = "perch.renewing";

/** A token is renewed this long before it expires, milliseconds. */
const MARGIN = 30_000;
/** The other tabs wait this long for a renewal, milliseconds: its tab may have crashed. */
const LEASE_LASTS = 3_000;
/** A renewal that takes longer has failed, milliseconds. */
const PATIENCE = 14_000;
/** Another tab's write is visible here within this time, milliseconds. */
const SETTLES = 80;

/**
 * @typedef {{ until: number, turn: number }} Login  `turn` counts the renewals.
 * @typedef {{ by: string, until: number }} Lease
 */

/**
 * @template T
 * @param {string} key
 * @returns {T | null}
 */
function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    // No storage, or a foreign value in it: counts as logged out.
    return null;
  }
}

/**
 * @param {string} key
 * @param {Login | Lease | null} value
 */
function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A browser without storage has no cookies either.
  }
}

const login = () => /** @type {Login | null} */ (read(LOGIN));

/** Whether somebody is logged in, as far as this browser knows. */
export function isLoggedIn() {
  return login() !== null;
}

/** Whether the access token is about to expire, or has expired while the machine slept. */
export function wantsRenewal() {
  const now = login();
  return now !== null && now.until - MARGIN < Date.now();
}

/**
 * Records a new or renewed login.
 * @param {number} seconds  validity of the access token
 */
export function remember(seconds) {
  write(LOGIN, { until: Date.now() + seconds * 1000, turn: (login()?.turn ?? 0) + 1 });
}

/** Records that nobody is logged in. */
export function forget() {
  write(LOGIN, null);
}

/**
 * Calls `then` when another tab logs in or out.
 * @param {() => void} then
 */
export function onLoginElsewhere(then) {
  addEventListener("storage", (event) => {
    if (event.key !== LOGIN) return;
    // A renewal changes nothing for this tab.
    if ((event.oldValue === null) !== (event.newValue === null)) then();
  });
}

/** @param {number} milliseconds */
const pass = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** @type {Promise<boolean> | null} */
let running = null;

/**
 * Renews the login once for all tabs, or waits until another tab has. False: logged out, or the daemon is away.
 * @param {boolean} refused  The daemon has refused the token, although it looks valid here.
 * @returns {Promise<boolean>}
 */
export function renew(refused = false) {
  running ??= takeTurn(refused).finally(() => {
    running = null;
  });
  return running;
}

/** @param {boolean} refused */
async function takeTurn(refused) {
  const turn = login()?.turn;
  const self = crypto.getRandomValues(new Uint32Array(2)).join("-");
  for (;;) {
    const now = login();
    if (now === null) return false;
    // Another tab has renewed it.
    if (now.turn !== turn || !(refused || wantsRenewal())) return true;
    const lease = /** @type {Lease | null} */ (read(LEASE));
    const isTaken = lease !== null && lease.until > Date.now() && lease.until < Date.now() + 2 * LEASE_LASTS;
    if (!isTaken) {
      write(LEASE, { by: self, until: Date.now() + LEASE_LASTS });
      await pass(SETTLES);
      // Two tabs that saw it free have both written; the last one wins.
      if (/** @type {Lease | null} */ (read(LEASE))?.by === self && login()?.turn === turn) break;
    }
    await pass(SETTLES + Math.random() * SETTLES);
  }
  const giveBack = () => {
    if (/** @type {Lease | null} */ (read(LEASE))?.by === self) write(LEASE, null);
  };
  // The tab may be closed meanwhile; the others need not wait for it.
  addEventListener("pagehide", giveBack);
  try {
    return await refresh();
  } finally {
    removeEventListener("pagehide", giveBack);
    giveBack();
  }
}

async function refresh() {
  try {
    const response = await fetch(at("/api/v1/auth/refresh"), {
      // The new cookies are kept even if this tab is closed before the answer.
      method: "POST", cache: "no-store", keepalive: true, signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.ok) {
      remember((await response.json()).expires_in);
      dispatchEvent(new Event("perch-renewed"));
      return true;
    }
    if (response.status === 401 || response.status === 403) {
      forget();
      dispatchEvent(new Event("perch-logged-out"));
    }
  } catch {
    // The daemon is away: the following request reports it.
  }
  return false;
}
