// The title of the browser's tab.

import { settings } from "../site/session.js";
import { useEffect } from "./html.js";

/** @param {string} words  the screen's title; empty: only the site's name */
export function useTitle(words) {
  const site = settings.value?.site_name || "Perch";
  useEffect(() => {
    document.title = words ? `${words} · ${site}` : site;
  }, [words, site]);
}
