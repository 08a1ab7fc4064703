// Everything that screens are written with: Preact without a compiler (htm), hooks and signals.

import { h, render, Fragment } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

/** @import { VNode } from "preact" */

export const html = /** @type {(strings: TemplateStringsArray, ...values: any[]) => VNode} */ (htm.bind(h));
export { render, Fragment };
export { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-hooks.js";
export { useSignal, useComputed, useSignalEffect, signal, computed, batch } from "../vendor/signals.js";
