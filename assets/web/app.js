/** Lets a browser install the page as an app; the worker keeps nothing, see `worker.js`. */
export function installable() {
  addEventListener("load", start);
  if (document.readyState === "complete") start();
}

function start() {
  // Where there is no secure context the page is a page like any other.
  navigator.serviceWorker?.register("/lab-worker.js", { scope: "/" }).catch(() => {});
}
