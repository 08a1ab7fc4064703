// Keeps this browser's login fresh. The tokens are in cookies that no script sees; what is remembered here, for all tabs, is only
// until when the access token is good. A refresh token is good for one use, and a second use closes the login: so one
// tab renews for all, under a lease in localStorage (navigator.locks is there only over TLS, and on a LAN there is none).

const LOGIN = "perch.login";
const LEASE = "perch.renewing";

/** Renewed so long before its end, milliseconds. */
const MARGIN = 30_000;
/** A tab that was closed while it renewed gives the lease back after this, milliseconds. */
const LEASE_LASTS = 15_000;
/** What another tab writes is seen here within this time, milliseconds. */
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
    // No storage allowed, or somebody else's words in it: as if nobody had logged in.
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
    // Without storage there are no cookies either.
  }
}

const login = () => /** @type {Login | null} */ (read(LOGIN));

/** Whether this browser believes that somebody is logged in. */
export function isLoggedIn() {
  return login() !== null;
}

/** Whether the access token is about to end, or has ended while the machine slept. */
export function wantsRenewal() {
  const now = login();
  return now !== null && now.until - MARGIN < Date.now();
}

/**
 * Somebody has logged in, or the login was renewed.
 * @param {number} seconds  how long the access token is good
 */
export function remember(seconds) {
  write(LOGIN, { until: Date.now() + seconds * 1000, turn: (login()?.turn ?? 0) + 1 });
}

/** Nobody is logged in any more. */
export function forget() {
  write(LOGIN, null);
}

/**
 * Calls back when another tab logs in or out, or renews.
 * @param {() => void} then
 */
export function onLoginElsewhere(then) {
  addEventListener("storage", (event) => {
    if (event.key !== LOGIN) return;
    // A renewal is nobody's news.
    if ((event.oldValue === null) !== (event.newValue === null)) then();
  });
}

/** @param {number} milliseconds */
const pass = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** @type {Promise<boolean> | null} */
let running = null;

/**
 * Renews the login, once for all tabs, or waits until another tab has. False: nobody is logged in any more, or the daemon is away.
 * @param {boolean} refused  The daemon has refused the token, however good it looks here.
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
    // Somebody else has.
    if (now.turn !== turn || !(refused || wantsRenewal())) return true;
    const lease = /** @type {Lease | null} */ (read(LEASE));
    const isTaken = lease !== null && lease.until > Date.now() && lease.until < Date.now() + 2 * LEASE_LASTS;
    if (!isTaken) {
      write(LEASE, { by: self, until: Date.now() + LEASE_LASTS });
      await pass(SETTLES);
      // Two that saw it free have both written; one was the last.
      if (/** @type {Lease | null} */ (read(LEASE))?.by === self && login()?.turn === turn) break;
    }
    await pass(SETTLES + Math.random() * SETTLES);
  }
  try {
    return await refresh();
  } finally {
    write(LEASE, null);
  }
}

async function refresh() {
  try {
    const response = await fetch("/api/v1/auth/refresh", {
      method: "POST", cache: "no-store", signal: AbortSignal.timeout(LEASE_LASTS - 1000),
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
    // Away: the request that follows says so.
  }
  return false;
}
