// Watch: a stream's picture, its texts and user, and its chat.

import { Chat } from "../chat/chat.js";
import { Replay } from "../chat/replay.js";
import { Rewind } from "../parts/rewind.js";
import { RecordingStage } from "../parts/recordingstage.js";
import { go } from "../site/addresses.js";
import { api, asProblem, sentence } from "../site/api.js";
import { askSystem, clock } from "../site/clock.js";
import { me } from "../site/session.js";
import { ago, asClock, asDate, count, ENDED_BY, nameOf, short, waitingWords } from "../site/words.js";
import { isOnAir } from "../parts/cards.js";
import { Confirm } from "../parts/dialog.js";
import { html, useEffect, useRef, useSignal } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { FollowButton, loginThenBack, Person } from "../parts/person.js";
import { usePoll } from "../parts/poll.js";
import { Share } from "../parts/share.js";
import { Stage } from "../parts/stage.js";
import { useTitle } from "../parts/title.js";
import { toast } from "../parts/toast.js";
import { EditStream } from "./editstream.js";
import { Nowhere } from "./nowhere.js";
import { Recorded } from "./recorded.js";

/**
 * @import { Camera, List, Reaction, RecordingDetails, Stream, User } from "../types.js"
 * @import { Problem } from "../site/api.js"
 * @import { Signal } from "@preact/signals"
 */

/** Milliseconds between two requests: fast while a picture is coming, slow once it is there. */
const AT_ONCE = 500;
const SOON = 1500;
const CALMLY = 8000;
/** The end of an ended stream is played for this long at most, milliseconds. */
const PLAY_OUT = 8000;

/** @type {Record<Stream["state"], string>} */
const STATES = { starting: "Starting", live: "Live", interrupted: "Interrupted", ended: "Ended" };

/** @param {{ params: string[] }} props */
export function Screen({ params: [id = ""] }) {
  const stream = useSignal(/** @type {Stream | null} */ (null));
  const problem = useSignal(/** @type {Problem | null} */ (null));
  const isAway = useSignal(false);
  const viewer = me.value?.username;
  /** What is played of a recording, and where. */
  const recording = useSignal(/** @type {RecordingDetails | null} */ (null));
  const position = useSignal(0);
  /** Where a live stream is played from instead, seconds; null: live. */
  const rewound = useSignal(/** @type {number | null} */ (null));
  const growing = useGrowing(id, stream.value, rewound.value !== null);

  const load = async (/** @type {AbortSignal} */ signal) => {
    try {
      stream.value = await api.get(`/streams/${id}`, { signal });
      problem.value = null;
      isAway.value = false;
    } catch (error) {
      if (signal.aborted) throw error;
      const what = asProblem(error);
      // A restarting daemon is away for a moment; a refusal is final.
      if (what.status === 0 || what.status >= 500 || what.status === 429) isAway.value = true;
      else problem.value = what;
      if (!stream.value && isAway.value) problem.value = what;
    }
    const state = stream.value?.state;
    if (isAway.value) return SOON;
    if (problem.value || state === "ended") return 0;
    return state === "starting" ? AT_ONCE : state === "interrupted" ? SOON : CALMLY;
  };
  usePoll(load, [id, viewer]);
  // Sets the clock that the latency needs.
  useEffect(() => void (clock.now() === null && askSystem().catch(() => {})), []);

  const now = stream.value;
  useTitle(now?.title ?? "");
  if (problem.value) return html`<${Refused} problem=${problem.value} />`;
  if (!now) return html`<p class="waiting" role="status">Loading</p>`;
  const change = (/** @type {Partial<Stream>} */ news) => {
    if (stream.value) stream.value = { ...stream.value, ...news };
  };
  const ended = () => void load(new AbortController().signal).catch(() => {});
  return html`
    <div class="watch">
      <div class="watch-stage"><${Screening} stream=${now} isAway=${isAway.value} recording=${recording} position=${position} rewound=${rewound} change=${change} /></div>
      <div class="watch-top"><${Top} stream=${now} change=${change} reload=${ended} /></div>
      <div class="watch-chat">${isOnAir(now)
        ? html`<${Chat} stream=${now} onReactions=${change} onEnded=${ended}
            rewound=${rewound.value !== null && now.recording ? { recording: growing.details, position, duration: growing.duration, onLive: () => (rewound.value = null) } : null} />`
        : html`<${Replay} key=${recording.value ? "step" : "all"} stream=${now} recording=${recording.value} position=${position} />`}</div>
      <div class="watch-about"><${About} stream=${now} /></div>
    </div>`;
}

/**
 * The recording of a live stream: how long it is by now, and, when it is played, where its time and the stream's part.
 * @param {string} id
 * @param {Stream | null} stream
 * @param {boolean} isPlayed
 */
function useGrowing(id, stream, isPlayed) {
  const details = useSignal(/** @type {RecordingDetails | null} */ (null));
  useEffect(() => {
    details.value = null;
    if (isPlayed) api.get(`/recordings/${id}`).then((answer) => (details.value = answer)).catch(() => {});
  }, [id, isPlayed]);
  // The daemon is asked now and then; in between the recording grows by itself.
  const told = useRef({ stream, at: 0 });
  if (told.current.stream !== stream) told.current = { stream, at: performance.now() };
  return { details: details.value, duration: () => (stream?.recording?.duration_seconds ?? 0) + (performance.now() - told.current.at) / 1000 };
}

/** @param {{ problem: Problem }} props */
function Refused({ problem }) {
  if (problem.status === 401) {
    return html`<div class="empty"><div class="perched" aria-hidden="true"></div><h1>Members only</h1><p>Log in to watch this stream.</p><p><a class="button primary" href=${loginThenBack()}>Log in</a></p></div>`;
  }
  if (problem.status === 404) {
    return html`<${Nowhere} words=${me.value ? "This stream does not exist, or no longer does." : "This stream does not exist, or it is for members: log in to see it."} />`;
  }
  return html`<${Nowhere} words=${problem.message} />`;
}

/**
 * @param {object} props
 * @param {Stream} props.stream
 * @param {boolean} props.isAway
 * @param {Signal<RecordingDetails | null>} props.recording
 * @param {Signal<number>} props.position
 * @param {Signal<number | null>} props.rewound
 * @param {(news: Partial<Stream>) => void} props.change
 */
function Screening({ stream, isAway, recording, position, rewound, change }) {
  const seek = useSignal(/** @type {((at: number) => void) | null} */ (null));
  const latency = useSignal(/** @type {number | null} */ (null));
  const detail = useSignal("");
  const { state, playlist_url, thumbnail_url, width, height, end_reason, user, elapsed_seconds } = stream;
  // The picture is some seconds old: viewers see these to the end.
  const playlist = useRef(playlist_url);
  if (playlist_url) playlist.current = playlist_url;
  const isOver = useSignal(state === "ended");
  const isLive = (state === "live" || state === "ended") && !isAway && playlist.current !== null;
  useEffect(() => {
    if (state !== "ended") return undefined;
    const timer = setTimeout(() => (isOver.value = true), PLAY_OUT);
    return () => clearTimeout(timer);
  }, [state]);
  // The camera's state says why there is no picture.
  useEffect(() => {
    detail.value = "";
    if (state !== "interrupted" && state !== "starting") return;
    api.get("/cameras").then((/** @type {List<Camera>} */ { items }) => {
      detail.value = items.find(({ name }) => name === stream.camera)?.detail ?? "";
    }).catch(() => {});
  }, [state]);
  // Played to the end of what is live: on with the recording.
  if (state === "ended" && isOver.value && stream.recording) {
    return html`<${Recorded} stream=${stream} details=${recording} position=${position} change=${change} />`;
  }
  if (state === "ended" && isOver.value) {
    return html`
      <section class="stage" aria-label="Picture">
        ${thumbnail_url && html`<img class="poster" src=${thumbnail_url} alt="" />`}
        <div class="cover"><p class="headline">This stream has ended</p>
          <p class="detail">It ran for ${asClock(elapsed_seconds)} and was ${end_reason ? ENDED_BY[end_reason] : "ended"}.</p>
          <p><a class="button" href="/u/${encodeURIComponent(user.username)}">More from ${nameOf(user)}</a></p></div>
      </section>`;
  }
  const words = isAway
    ? { headline: "Perch does not answer", detail: "Trying again. Is the board switched on and on this network?" }
    : { headline: waitingWords(stream), detail: detail.value };
  const go = (/** @type {number | null} */ at) => {
    if (at !== null && rewound.value !== null) seek.value?.(at);
    else rewound.value = at;
  };
  const isRewound = rewound.value !== null && stream.recording !== null;
  return html`
    ${isRewound && html`<${RecordingStage} playlist=${stream.recording?.playlist_url} at=${rewound.value} isPlaying isForMembers=${stream.visibility === "members"}
      poster=${thumbnail_url} size=${{ width, height }} position=${position} seek=${seek} />`}
    ${!isRewound && html`<${Stage} playlist=${playlist.current ?? `/media/${stream.id}/index.m3u8`} isOn=${isLive} onEnd=${() => (isOver.value = true)} headline=${words.headline} detail=${sentence(words.detail)}
      isBusy=${!isLive} poster=${thumbnail_url} size=${{ width, height }} latency=${latency} />`}
    ${stream.recording?.is_growing && state !== "starting" && html`<${Rewind} stream=${stream.id} duration=${stream.recording.duration_seconds} position=${isRewound ? position.value : null} onGo=${go} />`}
    <p class="under-stage"><span id="state" class="state" role="status" data-state=${isAway ? "offline" : isRewound ? "rewound" : state}>${isAway ? "Offline" : isRewound ? "Rewound" : STATES[state]}</span>
      <span>${width} × ${height} · ${stream.fps} fps</span>${!isRewound && html`<span>Latency <span id="latency">${latency.value === null ? "–" : `${latency.value.toFixed(1)} s`}</span></span>`}
      ${stream.recording?.is_growing && html`<a href="/media/${stream.id}/recording.mp4" download>Download so far</a>`}</p>`;
}

/** @param {{ stream: Stream, change: (news: Partial<Stream>) => void, reload: () => void }} props */
function Top({ stream, change, reload }) {
  const user = useSignal(/** @type {User | null} */ (null));
  const dialog = useSignal(/** @type {null | "share" | "edit" | "stop" | "delete"} */ (null));
  const viewer = me.value?.username;
  const { username } = stream.user;
  useEffect(() => {
    api.get(`/users/${encodeURIComponent(username)}`).then((answer) => (user.value = answer)).catch(() => {});
  }, [username, viewer]);
  const close = () => (dialog.value = null);
  const save = async () => {
    if (!viewer) return go(loginThenBack());
    try {
      await (stream.saved ? api.delete(`/streams/${stream.id}/save`) : api.put(`/streams/${stream.id}/save`));
      change({ saved: !stream.saved });
      toast(stream.saved ? "Removed from your saved streams." : "Saved. You can find it in your menu.");
    } catch (error) {
      toast(asProblem(error).message);
    }
  };
  const who = user.value;
  return html`
    <h1 class="watch-title">${stream.title}</h1>
    <div class="watch-row">
      <${Person} user=${stream.user}>${who ? count(who.followers, "follower") : `@${username}`}<//>
      ${viewer !== username && html`<${FollowButton} key=${`${username} ${who?.is_following}`} username=${username} isFollowing=${who?.is_following ?? null}
        onChange=${(/** @type {boolean} */ follows) => who && (user.value = { ...who, is_following: follows, followers: who.followers + (follows ? 1 : -1) })} />`}
      <div class="actions">
        <${Reactions} stream=${stream} change=${change} />
        <button class="button" type="button" aria-pressed=${stream.saved ?? false} onClick=${save}><${Icon} name="save" />${stream.saved ? "Saved" : "Save"}</button>
        <button class="button" type="button" onClick=${() => (dialog.value = "share")}><${Icon} name="share" />Share</button>
        ${stream.may_edit && html`
          <button class="button" type="button" onClick=${() => (dialog.value = "edit")}><${Icon} name="edit" />Edit</button>
          ${isOnAir(stream)
            ? html`<button class="button danger" type="button" onClick=${() => (dialog.value = "stop")}><${Icon} name="stop" />Stop</button>`
            : html`<button class="button danger" type="button" onClick=${() => (dialog.value = "delete")}><${Icon} name="trash" />Delete</button>`}`}
      </div>
    </div>
    ${dialog.value === "share" && html`<${Share} stream=${stream} onClose=${close} />`}
    ${dialog.value === "edit" && html`<${EditStream} stream=${stream} onSaved=${change} onClose=${close} />`}
    ${dialog.value === "stop" && html`<${Confirm} title="Stop the stream?" words="It ends for all viewers and cannot be resumed." action="Stop the stream" onClose=${close}
      work=${async () => { await api.post(`/streams/${stream.id}/stop`); reload(); }} />`}
    ${dialog.value === "delete" && html`<${Confirm} title="Delete the stream?" words="This deletes it with its chat and counts for good." action="Delete stream" onClose=${close}
      work=${async () => { await api.delete(`/streams/${stream.id}`); go("/", { replace: true }); }} />`}`;
}

/** @param {{ stream: Stream, change: (news: Partial<Stream>) => void }} props */
function Reactions({ stream, change }) {
  const { id, my_reaction, likes, dislikes } = stream;
  const react = async (/** @type {Reaction} */ asked) => {
    if (!me.value) return go(loginThenBack());
    const reaction = my_reaction === asked ? "none" : asked;
    const one = (/** @type {Reaction} */ kind) => Number(reaction === kind) - Number(my_reaction === kind);
    // Shown at once, and undone if it is refused.
    change({ my_reaction: reaction, likes: likes + one("like"), dislikes: dislikes + one("dislike") });
    try {
      await api.put(`/streams/${id}/reaction`, { reaction });
    } catch (error) {
      change({ my_reaction, likes, dislikes });
      toast(asProblem(error).message);
    }
  };
  return html`
    <div class="pair" role="group" aria-label="Your reaction">
      <button class="button" type="button" aria-pressed=${my_reaction === "like"} aria-label="Like, ${likes}" onClick=${() => react("like")}><${Icon} name="up" />${short(likes)}</button>
      <button class="button" type="button" aria-pressed=${my_reaction === "dislike"} aria-label="Dislike, ${dislikes}" onClick=${() => react("dislike")}><${Icon} name="down" />${short(dislikes)}</button>
    </div>`;
}

/** @param {{ stream: Stream }} props */
function About({ stream }) {
  const { views, viewers, peak_viewers, description, topics, live_at, created_at, ended_at, visibility, camera, bitrate_kbps } = stream;
  const facts = isOnAir(stream)
    ? [`${short(viewers)} watching`, count(views, "view"), `started ${ago(live_at ?? created_at)}`]
    : [count(views, "view"), `${count(peak_viewers, "viewer")} at peak`, `ended ${asDate(ended_at ?? created_at)}`];
  if (visibility === "members") facts.push("members only");
  return html`
    <section class="about" aria-label="About this stream">
      <p class="about-facts">${facts.join(" · ")}</p>
      ${description ? html`<p class="description">${description}</p>` : html`<p class="quiet">No description.</p>`}
      ${topics.length > 0 && html`<p class="chips">${topics.map(({ id, name }) => html`<a key=${id} class="chip" href="/?topic=${id}">${name}</a>`)}</p>`}
      <p class="quiet">Camera ${camera} · ${bitrate_kbps} kbit/s</p>
    </section>`;
}
