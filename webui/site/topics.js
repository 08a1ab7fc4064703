// The topics of this site; asked for once, and again when the owner has changed them.

import { signal } from "../vendor/signals.js";
import { api } from "./api.js";

/** @import { List, Topic } from "../types.js" */

export const topics = signal(/** @type {Topic[]} */ ([]));
let isKnown = false;

export async function loadTopics(anew = false) {
  if (isKnown && !anew) return;
  isKnown = true;
  try {
    /** @type {List<Topic>} */
    const list = await api.get("/topics", { query: { limit: 100 } });
    topics.value = list.items;
  } catch (error) {
    isKnown = false;
    throw error;
  }
}
