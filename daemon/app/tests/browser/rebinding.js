// Opens a running daemon in Chromium under the name of another site, which resolves to this machine, and asks for everything that a page of that
// site would want. Then opens it under a name of its configuration. Prints as JSON what was answered; status 0 is a connection that failed.
//
//   node rebinding.js PORT STREAM

import { start } from "./chromium.js";

const [port, stream] = process.argv.slice(2);

const browser = await start(60_000, ["--no-proxy-server", "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP cam.example 127.0.0.1"]);
const report = { complaints: [], evil: [], ours: 0 };
try {
  const page = await browser.newPage();
  await page.goto(`http://evil.example:${port}/`);
  report.evil = await page.evaluate(async (id) => {
    const json = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ username: "eve", password: "correct horse battery" }) };
    const asked = [["/"], ["/api/v1/streams"], [`/media/${id}/index.m3u8`], ["/media/live/index.m3u8"], ["/api/v1/auth/register", json], ["/metrics"]];
    const seen = [];
    for (const [path, how] of asked) seen.push({ path, status: (await fetch(path, how)).status });
    const socket = new WebSocket(`ws://${location.host}/api/v1/streams/${id}/chat`);
    const status = await new Promise((resolve) => {
      socket.onopen = () => resolve(101);
      socket.onerror = () => resolve(0);
    });
    seen.push({ path: "chat", status });
    return seen;
  }, stream);
  report.ours = (await page.goto(`http://cam.example:${port}/`)).status();
  await page.locator("h1, h2, video").first().waitFor();
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
