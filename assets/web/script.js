/** Scripts of libraries, which come when they are first needed. */

import { el } from "./dom.js";

const loading = new Map();

/** Load a script once; one that did not come is asked for again. @param {URL} address */
export function load(address) {
  const { href } = address;
  if (!loading.has(href)) {
    loading.set(href, new Promise((done, failed) => {
      document.head.append(el("script", { src: href, on: {
        load: () => done(),
        error: () => {
          loading.delete(href);
          failed(new Error("no script"));
        },
      } }));
    }));
  }
  return loading.get(href);
}
