// Opens the page of a running daemon in Chromium for ten people at once, each with an empty cache. Prints as JSON the requests that were not answered
// as they should be, and for how many the page is whole.
//
//   node ten_people.js ADDRESS

import { start } from "./chromium.js";

const [address] = process.argv.slice(2);

const browser = await start(120_000);
const report = { complaints: [], requests: 0, failures: [], whole: 0 };
try {
  const pages = await Promise.all(Array.from({ length: 10 }, async () => {
    const page = await (await browser.newContext()).newPage();
    page.on("pageerror", (error) => report.complaints.push(String(error)));
    page.on("response", (response) => {
      report.requests += 1;
      if (response.status() >= 400) report.failures.push(`${response.status()} ${response.url()}`);
    });
    return page;
  }));
  await Promise.all(pages.map(async (page) => {
    await page.goto(`${address}/`);
    await page.getByRole("heading").first().waitFor({ timeout: 60_000 });
    report.whole += 1;
  }));
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
