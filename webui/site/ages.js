// How long things are kept: days in words, 0 for ever.

const CHOICES = [7, 30, 90, 365, 730, 0];

/** @param {number} days */
export function asAge(days) {
  if (days === 0) return "For ever";
  if (days % 365 === 0) return days === 365 ? "1 year" : `${days / 365} years`;
  return days === 1 ? "1 day" : `${days} days`;
}

/** The choices, with the present value if it is another. @param {number} now @returns {[string, string][]} */
export function choicesFor(now) {
  const all = CHOICES.includes(now) ? CHOICES : [now, ...CHOICES];
  return all.map((days) => [String(days), asAge(days)]);
}
