// A list in pages: the first at once, more on request.

import { api, asProblem } from "../site/api.js";
import { batch, html, signal } from "./html.js";

/**
 * @import { List } from "../types.js"
 * @import { Problem } from "../site/api.js"
 */

/** @template T */
export class Pages {
  /** null: the first page is still loading. */
  items = signal(/** @type {T[] | null} */ (null));
  problem = signal(/** @type {Problem | null} */ (null));
  hasMore = signal(false);
  busy = signal(false);
  /** @type {string | null} */
  #cursor = null;
  #path;
  #query;

  /**
   * @param {string} path
   * @param {Record<string, string | number | undefined>} query
   */
  constructor(path, query = {}) {
    this.#path = path;
    this.#query = query;
  }

  /** Loads the first page again. */
  first() {
    return this.#load(null);
  }

  /** Loads the next page. */
  more() {
    return this.#load(this.#cursor);
  }

  /** Whether more than the first page is shown. */
  get isLong() {
    return (this.items.value?.length ?? 0) > (Number(this.#query.limit) || 20);
  }

  /** @param {string | null} cursor */
  async #load(cursor) {
    if (this.busy.value) return;
    this.busy.value = true;
    try {
      /** @type {List<T>} */
      const { items, next_cursor } = await api.get(this.#path, { query: { ...this.#query, cursor } });
      batch(() => {
        this.items.value = cursor === null ? items : [...(this.items.value ?? []), ...items];
        this.problem.value = null;
        this.hasMore.value = next_cursor !== null;
        this.#cursor = next_cursor;
      });
    } catch (error) {
      this.problem.value = asProblem(error);
    } finally {
      this.busy.value = false;
    }
  }
}

/**
 * @param {{ pages: Pages<any>, each: (item: any) => any, empty: any, as?: string, waiting?: any }} props
 *     as: class of the list; waiting: shown until the first page is loaded
 */
export function Paged({ pages, each, empty, as = "rows", waiting }) {
  const items = pages.items.value;
  const problem = pages.problem.value;
  const again = () => (items === null ? pages.first() : pages.more());
  return html`
    ${items === null && problem === null && (waiting ?? html`<p class="waiting" role="status">Loading</p>`)}
    ${items?.length === 0 && problem === null && html`<div class="empty">${empty}</div>`}
    ${items && items.length > 0 && html`<ul class=${as}>${items.map(each)}</ul>`}
    ${problem && html`<div class="empty" role="alert"><p>${problem.message}</p><button class="button" type="button" onClick=${again}>Try again</button></div>`}
    ${!problem && pages.hasMore.value && html`<p class="more"><button class="button" type="button" aria-disabled=${pages.busy.value} onClick=${again}>Show more</button></p>`}
  `;
}
