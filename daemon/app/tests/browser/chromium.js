// Chromium as the scripts here start it.

import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--mute-audio",
];

/**
 * Starts it. Whatever hangs, a test must not: the script ends with code 75 after so many milliseconds.
 *
 * @param {number} milliseconds
 * @param {string[]} more arguments
 * @param {import("playwright-core").LaunchOptions} options
 */
export function start(milliseconds, more = [], options = {}) {
  setTimeout(() => process.exit(75), milliseconds).unref();
  const executablePath = process.env.PERCH_CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: [...ARGUMENTS, ...more], ...options });
}
