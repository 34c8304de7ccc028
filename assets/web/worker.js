/**
 * The service worker: nothing is kept, every request goes to the lab. When the lab does not run, it
 * says so in words instead of the browser's own page.
 */

const CLOSED = `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>lab</title>
<style>body{display:grid;place-content:center;height:100vh;margin:0;font:16px/1.6 system-ui;text-align:center}code{font-size:15px}</style>
<main><h1>The lab is not running</h1><p>Start it with <code>lab</code>, then <a href="">try again</a>. Sessions are kept.</p></main>`;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate") return;
  event.respondWith(fetch(event.request).catch(() => new Response(CLOSED, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } })));
});
