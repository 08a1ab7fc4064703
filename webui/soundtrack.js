// Whether what a player plays has sound. It may come and go within a stream.

import { Events } from "./vendor/hls.js";

/**
 * Tells whenever hls.js learns it of what is on show.
 * @param {import("./vendor/hls.js").default} hls
 * @param {(hasSound: boolean) => void} tell
 */
export function followSound(hls, tell) {
  // Before the first picture is shown.
  hls.on(Events.BUFFER_CREATED, (_event, { tracks }) => tell("audio" in tracks || "audiovideo" in tracks));
  hls.on(Events.FRAG_CHANGED, (_event, { frag: { elementaryStreams } }) => {
    const { audio, video, audiovideo } = elementaryStreams;
    if (audio ?? video ?? audiovideo) tell((audio ?? audiovideo) !== null);
  });
}

/**
 * The same where the browser plays HLS itself. Unknown counts as yes.
 * @param {HTMLVideoElement} video
 */
export function playsSound(video) {
  const { audioTracks } = /** @type {HTMLVideoElement & { audioTracks?: { length: number } }} */ (video);
  return audioTracks === undefined || audioTracks.length > 0;
}
