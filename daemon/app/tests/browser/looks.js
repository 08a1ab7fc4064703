// What is done at each step of a walk: axe looks at the page for what keeps people out who cannot see it, or not well; it must not be wider than the
// screen; and a picture of it is left.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

export const DESKTOP = { width: 1280, height: 860 };
export const PHONE = { width: 360, height: 740 };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LOOKS = [["desktop-light", DESKTOP, "light"], ["phone-dark", PHONE, "dark"]];
// All of them for somebody who wants to look at them.
if (process.env.PERCH_TEST_PICTURES) LOOKS.push(["phone-light", PHONE, "light"], ["desktop-dark", DESKTOP, "dark"]);

/**
 * Looks at the page as it is.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} name of the step
 * @param {string} picture the file's path, without its end
 * @param {string[]} complaints what is wrong is added
 */
export async function look(page, name, picture, complaints) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, nodes } of violations) complaints.push(`${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" ")}`);
  const [width, most] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (width > most) complaints.push(`${name}: ${width} pixels wide on ${most}`);
  // A dialog lies over what is to be seen at once.
  await page.screenshot({ path: `${picture}.png`, fullPage: await page.getByRole("dialog").count() === 0 });
}

/** The same on a desktop in light and on a phone in dark, and then on a desktop in light again. */
export async function lookAround(page, name, picture, complaints) {
  for (const [kind, viewport, colorScheme] of LOOKS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await look(page, `${name} (${kind})`, `${picture}-${kind}`, complaints);
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: "light" });
}
