// The chat's connection: nothing lost, doubled or out of order for whoever reads (webui/chat/room.js).

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { forgetTimers, pass } from "./hand_clock.js";

globalThis.localStorage = { getItem: () => null, setItem() {}, removeItem() {} };
globalThis.addEventListener = () => {};
globalThis.location = new URL("http://perch.local:8080/watch/S");

/** @type {Socket[]} */
let sockets = [];
class Socket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  readyState = 1;
  /** @type {any[]} */
  sent = [];
  constructor(address) {
    super();
    this.address = new URL(address);
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
  say(...words) {
    for (const one of words) this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(one) }));
  }
}
globalThis.WebSocket = Socket;

/** What is asked by other means, and what to answer. @type {{ path: string, method: string, body: any }[]} */
let asked = [];
let answer = (request) => new Response(null, { status: 404 });
globalThis.fetch = async (address, { method = "GET", body = null, signal }) => {
  const { pathname, search } = new URL(address, location.href);
  asked.push({ path: pathname + search, method, body: body && JSON.parse(body) });
  return answer({ path: pathname, method, signal });
};

/** The events of a chat as a response: `say` sends lines, and `end` ends it. */
function events() {
  let to;
  const body = new ReadableStream({ start: (controller) => void (to = controller) });
  const say = (text) => to.enqueue(new TextEncoder().encode(text));
  return {
    response: new Response(body),
    say: (...lines) => lines.forEach((line) => say(`data: ${JSON.stringify(line)}\n\n`)),
    raw: say,
    end: () => to.close(),
  };
}

const { Room } = await import("../../../../webui/chat/room.js");

const ann = { username: "ann", full_name: "", avatar_url: null };
const bob = { username: "bob", full_name: "", avatar_url: null };
const welcome = { type: "welcome", rules: { slow_mode_seconds: 0, followers_only: false, members_only: false }, you: ann, may_write: true, viewers: 2 };
const message = (id, text, user = bob, more = {}) => ({ type: "message", id, user, text, offset_seconds: 1, sent_at: "2026-01-01T00:00:00Z", deleted: false, ...more });
const texts = (room) => room.messages.value.map(({ text }) => text);

async function join() {
  const room = new Room("S");
  await pass(0);
  sockets[0].say(welcome);
  return room;
}

beforeEach(() => {
  forgetTimers();
  sockets = [];
  asked = [];
});

test("messages stand in the order of their ids, each once", async () => {
  const room = await join();
  assert.equal(sockets[0].address.href, "ws://perch.local:8080/api/v1/streams/S/chat");
  sockets[0].say(message("01", "one"), message("03", "three"), message("02", "two"), message("03", "three"));
  assert.deepEqual(texts(room), ["one", "two", "three"]);
});

test("a broken connection is taken up after the last message", async () => {
  const room = await join();
  sockets[0].say(message("01", "one"), message("02", "two"));
  sockets[0].close();
  assert.equal(room.state.value, "away");
  await pass(1000);
  assert.equal(sockets.length, 2);
  assert.equal(sockets[1].address.searchParams.get("after"), "02");
  sockets[1].say(welcome, message("02", "two"), message("04", "four"));
  assert.equal(room.state.value, "open");
  assert.deepEqual(texts(room), ["one", "two", "four"]);
});

test("pauses between attempts grow, and begin anew once it is open", async () => {
  await join();
  sockets[0].close();
  await pass(1000);
  sockets[1].close();
  await pass(700);
  assert.equal(sockets.length, 2, "the second pause is longer");
  await pass(2000);
  assert.equal(sockets.length, 3);
});

test("what one writes waits until the daemon has it", async () => {
  const room = await join();
  room.send("hello");
  const [{ client_id, text }] = sockets[0].sent;
  assert.equal(text, "hello");
  assert.deepEqual(room.waiting.value.map(({ why }) => why), [null]);
  sockets[0].say(message("01", "hello", ann, { client_id }));
  assert.deepEqual([room.waiting.value.length, texts(room)], [0, ["hello"]]);
});

test("a refusal stands beside its message, and gives the text back", async () => {
  const room = await join();
  room.send("spam");
  sockets[0].say({ type: "error", code: "too_fast", detail: "one message a second", client_id: sockets[0].sent[0].client_id });
  assert.equal(room.waiting.value[0].why, "One message a second.");
  assert.equal(room.takeBack(room.waiting.value[0].client_id), "spam");
  assert.equal(room.waiting.value.length, 0);
});

test("a message that was stored before the connection broke is not shown twice", async () => {
  const room = await join();
  room.send("did it arrive?");
  sockets[0].close();
  assert.match(room.waiting.value[0].why, /connection was lost/);
  await pass(1000);
  sockets[1].say(welcome, message("01", "did it arrive?", ann));
  assert.deepEqual([room.waiting.value.length, texts(room)], [0, ["did it arrive?"]]);
});

test("deleted messages lose their words", async () => {
  const room = await join();
  sockets[0].say(message("01", "rude"), { type: "delete", id: "01" });
  assert.deepEqual([room.messages.value[0].text, room.messages.value[0].deleted], ["", true]);
});

test("the page keeps so many messages and no more", async () => {
  const room = await join();
  for (let i = 0; i < 400; i++) sockets[0].say(message(String(i).padStart(4, "0"), String(i)));
  assert.equal(room.messages.value.length, 300);
  assert.equal(room.messages.value.at(-1).text, "399");
});

test("the end is the end", async () => {
  const room = await join();
  sockets[0].say({ type: "ended" });
  sockets[0].close();
  await pass(60_000);
  assert.deepEqual([room.state.value, sockets.length], ["ended", 1]);
});

test("whoever leaves while it connects has it closed once it is open: browsers complain of less", async () => {
  const room = new Room("S");
  await pass(0);
  const [socket] = sockets;
  socket.readyState = WebSocket.CONNECTING;
  room.close();
  assert.equal(socket.readyState, WebSocket.CONNECTING);
  socket.readyState = WebSocket.OPEN;
  socket.dispatchEvent(new Event("open"));
  assert.equal(socket.readyState, 3);
  socket.say(welcome);
  assert.equal(room.state.value, "connecting", "nobody listens any more");
});

test("a mute is told with its end, and a ban also where the daemon opens no connection", async () => {
  const mute = { severity: "mute", scope: "stream", until: "2026-01-01T00:10:00Z" };
  const ban = { severity: "ban", scope: "chats", until: null };
  const room = new Room("S");
  await pass(0);
  sockets[0].say({ ...welcome, may_write: false, barred: mute });
  assert.deepEqual(room.barred.value, mute);
  sockets[0].say({ type: "rules", rules: welcome.rules, may_write: true, barred: null });
  assert.equal(room.barred.value, null);
  sockets[0].say({ type: "error", code: "banned", detail: "you are banned", barred: ban });
  assert.deepEqual(room.barred.value, ban);
  room.close();

  // It was banned before: the WebSocket is refused, and a request says why.
  answer = () => Response.json({ status: 403, code: "banned", detail: "you are banned", barred: ban }, { status: 403 });
  sockets = [];
  const outside = new Room("S");
  await pass(0);
  sockets[0].close();
  await pass(1000);
  assert.deepEqual(outside.barred.value, ban);
  outside.close();
});

test("where no WebSocket can be opened the lines come as events, and what one writes goes by a request", async () => {
  const chat = events();
  answer = ({ method }) => (method === "POST" ? Response.json(message("02", "hello", ann), { status: 201 }) : chat.response);
  const room = new Room("S");
  await pass(0);
  sockets[0].close();
  await pass(1000);
  assert.deepEqual([sockets.length, asked[0].path], [1, "/api/v1/streams/S/chat/events"]);
  assert.equal(room.isDetour.value, false, "nothing was heard yet");
  chat.say(welcome, message("01", "one"));
  await pass(0);
  assert.deepEqual([room.isDetour.value, room.state.value, texts(room)], [true, "open", ["one"]]);

  room.send("hello");
  await pass(0);
  assert.deepEqual(asked[1], { path: "/api/v1/streams/S/messages", method: "POST", body: { text: "hello" } });
  // It comes twice: as the answer, and to everybody.
  chat.say(message("02", "hello", ann));
  await pass(0);
  assert.deepEqual([room.waiting.value.length, texts(room)], [0, ["one", "hello"]]);

  // In pieces, as a network brings them, with signs of life in between.
  for (const piece of [":\n", "\nda", `ta: ${JSON.stringify(message("03", "thr"))}`.replace("thr", "thrée"), "\n", "\n:\n\n"]) chat.raw(piece);
  await pass(0);
  assert.equal(texts(room).at(-1), "thrée");

  const next = events();
  answer = () => next.response;
  chat.end();
  await pass(1000);
  assert.deepEqual([room.state.value, asked.at(-1).path, sockets.length], ["away", "/api/v1/streams/S/chat/events?after=03", 1]);
  room.close();
  await pass(0);
});

test("one's own message stands once, also where its event comes before the answer to its request", async () => {
  const chat = events();
  let stored;
  answer = ({ method }) => (method === "POST" ? new Promise((resolve) => (stored = () => resolve(Response.json(message("01", "hello", ann), { status: 201 })))) : chat.response);
  const room = new Room("S");
  await pass(0);
  sockets[0].close();
  await pass(1000);
  chat.say(welcome);
  await pass(0);
  room.send("hello");
  await pass(0);
  chat.say(message("01", "hello", ann));
  await pass(0);
  assert.deepEqual([room.waiting.value.length, texts(room)], [0, ["hello"]]);
  stored();
  await pass(0);
  assert.deepEqual([room.waiting.value.length, texts(room)], [0, ["hello"]]);
  room.close();
});

test("a refusal of a message that went by a request stands beside it", async () => {
  const chat = events();
  const refusal = { code: "slow_mode", detail: "wait 5 s before your next message" };
  answer = ({ method }) => (method === "POST" ? Response.json(refusal, { status: 403 }) : chat.response);
  const room = new Room("S");
  await pass(0);
  sockets[0].close();
  await pass(1000);
  chat.say(welcome);
  await pass(0);
  room.send("again");
  await pass(0);
  assert.equal(room.waiting.value[0].why, "Wait 5 s before your next message.");
  room.close();
});

test("whoever is refused reads why, and both ways are tried again", async () => {
  answer = () => Response.json({ code: "too_many_requests", detail: "too many connections to chats from your address" }, { status: 429, headers: { "retry-after": "10" } });
  const room = new Room("S");
  await pass(0);
  sockets[0].close();
  await pass(1000);
  assert.match(room.refusal.value, /^Too many connections to chats from your address\. Try again in 10 s/);
  await pass(5000);
  assert.equal(sockets.length, 2, "a socket is tried again");
  sockets[1].say(welcome);
  assert.deepEqual([room.state.value, room.refusal.value, room.isDetour.value], ["open", "", false]);
});

test("a connection that gives no sign of life is lost", async () => {
  const chat = events();
  let gone;
  answer = ({ signal }) => {
    if (gone) return new Response(null, { status: 404 });
    gone = signal;
    signal.addEventListener("abort", () => chat.end(), { once: true });
    return chat.response;
  };
  const room = new Room("S");
  await pass(0);
  sockets[0].close();
  await pass(1000);
  chat.say(welcome);
  await pass(39_000);
  assert.equal(gone.aborted, false);
  await pass(2000);
  assert.equal(gone.aborted, true);
  assert.equal(room.state.value, "away");
  room.close();
});
