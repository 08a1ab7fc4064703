// Everything that screens are written with: Preact without a compiler (htm), hooks and signals.

import { h, render, Fragment } from "../vendor/preact.js";
import htm from "../vendor/htm.js";
import { at } from "../site/base.js";

/** @import { VNode } from "preact" */

/**
 * An element. Links, pictures and the like are written with the site's own addresses; here they get the path that the site is below.
 * @param {any} type
 * @param {Record<string, any> | null} props
 * @param {any[]} children
 */
function element(type, props, ...children) {
  if (typeof type === "string" && props) {
    for (const name of ["href", "src"]) {
      if (typeof props[name] === "string" && props[name].startsWith("/")) props[name] = at(props[name]);
    }
  }
  return h(type, props, ...children);
}

export const html = /** @type {(strings: TemplateStringsArray, ...values: any[]) => VNode} */ (htm.bind(element));
export { render, Fragment };
export { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-hooks.js";
export { useSignal, useComputed, useSignalEffect, signal, computed, batch } from "../vendor/signals.js";
