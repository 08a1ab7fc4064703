// Passing on a stream: its address, a code for phones, the browser's own share sheet, and the player for other pages.

import { asProblem } from "../site/api.js";
import { at } from "../site/base.js";
import { CopyField } from "./copyfield.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useSignal } from "./html.js";
import { toast } from "./toast.js";

/** @import { Stream } from "../types.js" */

/** @param {{ stream: Stream, onClose: () => void }} props */
export function Share({ stream, onClose }) {
  const path = `/watch/${stream.id}`;
  const url = location.origin + at(path);
  const player = useSignal("");
  useEffect(() => {
    // Where the owner lets other sites show the player, it is in the answer.
    const ask = async () => {
      const answer = await fetch(at(`/oembed?url=${encodeURIComponent(url)}`));
      if (answer.ok) player.value = (await answer.json()).html ?? "";
    };
    if (stream.visibility === "public") ask().catch(() => {});
  }, [url]);
  // Only pages over TLS have the share sheet.
  const share = async () => {
    try {
      await navigator.share({ title: stream.title, text: stream.title, url });
    } catch (error) {
      // Closed without sharing.
      if (!(error instanceof DOMException && error.name === "AbortError")) toast(asProblem(error).message);
    }
  };
  return html`
    <${Dialog} title="Share this stream" onClose=${onClose}>
      <${CopyField} label="Address" value=${url} hint=${stream.visibility === "members" ? "Only people with an account can watch it." : "Everyone who can reach this site can watch it."} />
      ${"share" in navigator && html`<p><button class="button" type="button" onClick=${share}>Share…</button></p>`}
      <img class="qr" src="/api/v1/qr.svg?path=${encodeURIComponent(path)}" width="240" height="240" alt="Code with this address, for a phone's camera" />
      ${player.value && html`<${CopyField} label="Player for other pages" value=${player.value} hint="Put this into the HTML of a page that the owner allows." />`}
    <//>`;
}
