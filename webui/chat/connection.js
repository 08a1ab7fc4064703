// The two ways into a chat: a WebSocket; and where a proxy does not pass those on, Server-Sent Events, with a request for each
// message. Both tell the same lines.

import { api, asProblem, Problem, problemOf } from "../site/api.js";
import { base } from "../site/base.js";

/** The daemon gives a sign of life every 15 s. After this time without one the connection is lost, milliseconds. */
const SILENCE = 40_000;

/**
 * @typedef {object} Ear
 * @property {(words: any) => void} told  gets each line
 * @property {(problem: Problem | null) => void} lost  called once, at the end; with the daemon's refusal if it gave one
 */
/** `say`: false if it is not open. @typedef {{ say: (words: any) => boolean, close: () => void }} Connection */

/** @param {string} stream @param {string} rest @param {string | undefined} last */
const address = (stream, rest, last) => new URL(`${base}/api/v1/streams/${stream}/${rest}${last ? `?after=${last}` : ""}`, location.href);

/**
 * @param {string} stream
 * @param {string | undefined} last  the last message received
 * @param {Ear} ear
 * @returns {Connection}
 */
export function bySocket(stream, last, { told, lost }) {
  const to = address(stream, "chat", last);
  to.protocol = to.protocol.replace("http", "ws");
  const socket = new WebSocket(to);
  socket.addEventListener("message", ({ data }) => told(JSON.parse(data)));
  socket.addEventListener("close", () => lost(null));
  return {
    say(words) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(words));
      return true;
    },
    close() {
      // Browsers log an error when a socket is closed before it is open.
      if (socket.readyState === WebSocket.CONNECTING) socket.addEventListener("open", () => socket.close());
      else socket.close();
    },
  };
}

/**
 * @param {string} stream
 * @param {string | undefined} last  the last message received
 * @param {Ear} ear
 * @returns {Connection}
 */
export function byEvents(stream, last, { told, lost }) {
  const gone = new AbortController();
  let isOpen = true;
  /** @type {number | undefined} */
  let timer;
  const listen = async () => {
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => gone.abort(), SILENCE);
    };
    alive();
    const response = await fetch(address(stream, "chat/events", last), { signal: gone.signal, cache: "no-store" });
    if (!response.ok || !response.body) throw await problemOf(response);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) if (event.startsWith("data: ")) told(JSON.parse(event.slice(6)));
    }
  };
  const end = (/** @type {unknown} */ error) => {
    clearTimeout(timer);
    isOpen = false;
    lost(error instanceof Problem ? error : null);
  };
  listen().then(() => end(null), end);
  return {
    say(words) {
      if (isOpen) void send(stream, words).then((answer) => answer && told(answer));
      return isOpen;
    },
    close: () => gone.abort(),
  };
}

/** Sends a line by a request; the line that a WebSocket would have brought in answer. @param {string} stream @param {any} words */
async function send(stream, { type, id, text, client_id }) {
  try {
    if (type === "delete") return void (await api.delete(`/streams/${stream}/messages/${id}`));
    return { ...(await api.post(`/streams/${stream}/messages`, { text })), type: "message", client_id };
  } catch (error) {
    const { code, message } = asProblem(error);
    return { type: "error", code, detail: message, client_id };
  }
}
