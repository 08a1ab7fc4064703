// Services that streams are often sent on to: their addresses, and where each shows its stream key.

/**
 * @typedef {object} Preset
 * @property {string} key
 * @property {string} words
 * @property {string} name  what its relay is called, unless the name is taken
 * @property {string} url  `{host}` stands for the server, which somebody runs themselves
 * @property {string} where  to find the stream key
 */

/** @type {Preset[]} */
export const PRESETS = [
  { key: "youtube", words: "YouTube", name: "youtube", url: "rtmps://a.rtmps.youtube.com/live2", where: "In YouTube Studio: Create, Go live, Stream. Copy the stream key from there." },
  { key: "twitch", words: "Twitch", name: "twitch", url: "rtmps://ingest.global-contribute.live-video.net/app", where: "In Twitch's Creator Dashboard: Settings, Stream, Primary stream key." },
  { key: "owncast", words: "Owncast", name: "owncast", url: "rtmp://{host}:1935/live", where: "In Owncast's admin page: Configuration, Server Setup, Stream Keys." },
  { key: "peertube", words: "PeerTube", name: "peertube", url: "rtmp://{host}:1935/live", where: "In PeerTube: Publish, Go live. The key is in the live settings of the video." },
  { key: "other", words: "Any other server", name: "", url: "", where: "The server's documentation or its owner tells it." },
];

/** @param {string} key @returns {Preset} */
export const presetOf = (key) => /** @type {Preset} */ (PRESETS.find((preset) => preset.key === key) ?? PRESETS.at(-1));

/** Whether somebody has to say which server. @param {Preset} preset */
export const needsHost = ({ url }) => url.includes("{host}");

/**
 * The address, once the server is known.
 * @param {Preset} preset
 * @param {string} host  as typed: perhaps with a scheme or a path
 */
export function addressOf({ url }, host) {
  const name = host.trim().replace(/^[a-z]+:\/\//i, "").replace(/[/?#].*$/, "").replace(/:\d+$/, "");
  return url.replace("{host}", name);
}

/**
 * A name that no relay has yet: youtube, youtube-2.
 * @param {string} name
 * @param {string[]} taken
 */
export function freeName(name, taken) {
  if (!name || !taken.includes(name)) return name;
  let number = 2;
  while (taken.includes(`${name}-${number}`)) number++;
  return `${name}-${number}`;
}
