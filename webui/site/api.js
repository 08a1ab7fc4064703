// Requests to the daemon: JSON both ways, and errors as a Problem in words for people.
// It renews an expired login before or after a request. No screens here.

import { base } from "./base.js";
import { isLoggedIn, remember, renew, wantsRenewal } from "./login.js";
import { upload } from "./upload.js";

/** A daemon that does not answer within this time counts as away, milliseconds. */
const PATIENCE = 6000;
/** The same for changes: hashing a password takes seconds on a small board, and uploading a picture takes time. */
const LONG_PATIENCE = 30_000;

/** The daemon's refusal (RFC 9457), or that it does not answer. */
export class Problem extends Error {
  /**
   * @param {number} status  0: no answer.
   * @param {string} code  Stable, for programs.
   * @param {string} detail  A sentence for people.
   * @param {string | null} field  The field of the request that is wrong.
   * @param {import("../types.js").Barred | null} barred  The ban that refuses it.
   */
  constructor(status, code, detail, field = null, barred = null) {
    super(sentence(detail));
    this.status = status;
    this.code = code;
    this.field = field;
    this.barred = barred;
  }
}

/**
 * Makes a sentence of the daemon's words, which are in the style of its log.
 * @param {string} words
 */
export function sentence(words) {
  const begun = words.charAt(0).toUpperCase() + words.slice(1);
  return begun === "" || /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/**
 * Any thrown value as a Problem that can be shown.
 * @param {unknown} thrown
 */
export function asProblem(thrown) {
  if (thrown instanceof Problem) return thrown;
  console.error(thrown);
  return new Problem(0, "page", "something went wrong on this page: reload it");
}

/**
 * @typedef {object} Request
 * @property {Record<string, string | number | boolean | null | undefined>} [query]  Empty values are omitted.
 * @property {unknown} [body]  A Blob is sent as it is, everything else as JSON.
 * @property {AbortSignal} [signal]
 * @property {number} [patience]  time limit for the whole response, milliseconds, if longer than usual
 * @property {(sent: number) => void} [onProgress]  gets the number of bytes of a Blob sent so far
 */

/**
 * @param {string} method
 * @param {string} path  below /api/v1
 * @param {Request} [request]
 * @returns {Promise<any>}
 */
async function ask(method, path, request) {
  const response = await answer(method, path, request);
  return response.status === 204 ? null : response.json();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Request} [request]
 */
async function answer(method, path, request = {}) {
  if (wantsRenewal()) await renew();
  let response = await send(method, path, request);
  if (response.status === 401) {
    const { code } = await response.clone().json().catch(() => ({ code: "" }));
    // There is a login that this browser's storage has lost.
    if (code === "token_expired" && !isLoggedIn()) remember(0);
    const isRenewable = isLoggedIn() && (code === "token_expired" || code === "unauthenticated");
    if (isRenewable) {
      await renew(true);
      // Renewed or logged out: the response is another one now.
      response = await send(method, path, request);
    }
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Request} request
 */
async function send(method, path, { query = {}, body, signal, patience, onProgress }) {
  const words = Object.entries(query).flatMap(([key, value]) =>
    value === undefined || value === null || value === "" ? [] : [[key, String(value)]]);
  const address = `${base}/api/v1${path}${words.length ? `?${new URLSearchParams(words)}` : ""}`;
  const timeout = AbortSignal.timeout(patience ?? (method === "GET" ? PATIENCE : LONG_PATIENCE));
  const isBlob = body instanceof Blob;
  const about = {
    method,
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    headers: /** @type {Record<string, string>} */ (body === undefined ? {} : { "content-type": isBlob ? body.type : "application/json" }),
  };
  try {
    if (isBlob && onProgress) return await upload(address, { ...about, body }, onProgress);
    return await fetch(address, {
      ...about,
      // The browser sends its ETag; an unchanged response is not sent again.
      cache: method === "GET" ? "no-cache" : "no-store",
      body: body === undefined ? null : isBlob ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (onProgress) throw new Problem(0, "no_answer", "the upload was interrupted: check that the board is reachable, and try again");
    throw new Problem(0, "no_answer", "Perch does not answer. Is the board switched on and on this network?");
  }
}

/** The refusal in a response. @param {Response} response */
export async function problemOf(response) {
  const words = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("retry-after"));
  const detail = String(words.detail ?? words.title ?? `Perch answered ${response.status}`);
  const advice = response.status === 429 && wait > 0 ? `${sentence(detail)} Try again in ${wait} s` : detail;
  return new Problem(response.status, String(words.code ?? "unknown"), advice, words.field ?? null, words.barred ?? null);
}

export const api = {
  /**
   * @template [T=any]
   * @param {string} path
   * @param {Request} [request]
   * @returns {Promise<T>}
   */
  get: (path, request) => ask("GET", path, request),
  /**
   * @template [T=any]
   * @param {string} path
   * @param {unknown} [body]
   * @param {number} [patience]
   * @returns {Promise<T>}
   */
  post: (path, body, patience) => ask("POST", path, { body, patience }),
  /**
   * @template [T=any]
   * @param {string} path
   * @param {unknown} [body]
   * @param {number} [patience]
   * @returns {Promise<T>}
   */
  put: (path, body, patience) => ask("PUT", path, { body, patience }),
  /**
   * @template [T=any]
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<T>}
   */
  patch: (path, body) => ask("PATCH", path, { body }),
  /**
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  delete: (path, body) => ask("DELETE", path, { body }),
  /**
   * Uploads a large file.
   * @param {string} path
   * @param {Blob} file
   * @param {Required<Pick<Request, "signal" | "patience" | "onProgress">>} request
   */
  upload: async (path, file, request) => {
    await answer("PUT", path, { ...request, body: file.slice(0, file.size, "application/octet-stream") });
  },
  /**
   * Downloads a file made on request, with the daemon's name for it.
   * @param {string} path
   * @param {unknown} body
   * @param {number} [patience]
   * @returns {Promise<{ blob: Blob, name: string | null }>}
   */
  download: async (path, body, patience) => {
    const response = await answer("POST", path, { body, patience });
    const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? null;
    try {
      return { blob: await response.blob(), name };
    } catch {
      throw new Problem(0, "no_answer", "the download was interrupted: try again");
    }
  },
};
