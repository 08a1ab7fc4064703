// An unknown address.

import { html } from "../parts/html.js";
import { useTitle } from "../parts/title.js";

/** @param {{ words?: string }} props */
export function Nowhere({ words = "There is nothing at this address." }) {
  useTitle("Not found");
  return html`<div class="empty"><h1>Not found</h1><p>${words}</p><p><a class="button" href="/">See the streams</a></p></div>`;
}

export const Screen = () => html`<${Nowhere} />`;
