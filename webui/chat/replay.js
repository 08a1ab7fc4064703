// The chat of a stream that has ended, with the time in the stream beside each message.

import { html, useEffect, useMemo } from "../parts/html.js";
import { Paged, Pages } from "../parts/list.js";
import { Line } from "./line.js";

/** @import { Message, Stream } from "../types.js" */

/** @param {{ stream: Stream }} props */
export function Replay({ stream }) {
  const pages = useMemo(() => /** @type {Pages<Message>} */ (new Pages(`/streams/${stream.id}/messages`, { limit: 100 })), [stream.id]);
  useEffect(() => void pages.first(), [pages]);
  return html`
    <section class="chat" aria-labelledby="chat-title">
      <header><h2 id="chat-title">Chat</h2></header>
      <div class="chat-scroll"><div class="chat-box" tabindex="0">
        <${Paged} pages=${pages} as="lines" each=${(/** @type {Message} */ message) => html`<li key=${message.id}><${Line} message=${message} withTime /></li>`}
          empty=${html`<p>No messages were sent during this stream.</p>`} />
      </div></div>
    </section>`;
}
