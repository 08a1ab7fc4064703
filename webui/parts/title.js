// What the browser's tab says.

import { settings } from "../site/session.js";
import { useEffect } from "./html.js";

/** @param {string} words  of the screen; empty: of the site alone */
export function useTitle(words) {
  const site = settings.value?.site_name || "Perch";
  useEffect(() => {
    document.title = words ? `${words} · ${site}` : site;
  }, [words, site]);
}
