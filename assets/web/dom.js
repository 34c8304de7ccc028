/** Building documents without markup: elements, attributes and text nodes only. */

/**
 * An element. `options`: class, text, title, on (event handlers), data, and any attribute.
 * Children are elements or null; text goes in as text.
 */
export function el(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "text") element.textContent = value;
    else if (key === "on") for (const [type, f] of Object.entries(value)) element.addEventListener(type, f);
    else if (key === "style") for (const [name, v] of Object.entries(value)) element.style.setProperty(name, v);
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  sun: "M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6l1.4 1.4M17 17l1.4 1.4M5.6 18.4L7 17M17 7l1.4-1.4M8 12a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a6.8 6.8 0 0 0 10.5 10.5z",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  follow: "M12 2v4M12 18v4M2 12h4M18 12h4M7 12a5 5 0 1 0 10 0a5 5 0 1 0-10 0",
  labels: "M4 7V5h16v2M12 5v14M9 19h6",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  down: "M6 9l6 6 6-6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M4 12.5l5 5L20 6.5",
  cross: "M6 6l12 12M18 6L6 18",
  left: "M15 6l-6 6l6 6",
  right: "M9 6l6 6l-6 6",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  scales: "M12 4v16M7 20h10M5 7h14M5 7l-3 7h6zM19 7l-3 7h6z",
  rounds: "M20 11a8 8 0 0 0-14.5-3.5L3 10M3 4v6h6M4 13a8 8 0 0 0 14.5 3.5L21 14M21 20v-6h-6",
  branches: "M5 5v14M5 12h7a4 4 0 0 0 4-4V7M13 9l3-3 3 3M5 16h14",
  download: "M12 4v11M7 10.5l5 5l5-5M5 20h14",
  study: "M5 4v16M19 4v16M9 8h6M9 8l2-2M9 8l2 2M15 16H9M15 16l-2-2M15 16l-2 2",
  swap: "M4 8h14M14 4l4 4l-4 4M20 16H6M10 12l-4 4l4 4",
  play: "M8 5l11 7l-11 7z",
  pause: "M8 5v14M16 5v14",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M15 14l5-5-5-5M20 9H10a6 6 0 0 0 0 12h3",
  prune: "M6 6a3 3 0 1 0 0.01 0M6 18a3 3 0 1 0 0.01 0M8.5 8.5L20 18M8.5 15.5L20 6",
  pen: "M4 20l1-5L16 4l4 4L9 19zM13.5 6.5l4 4",
  children: "M5 12h5M10 12c4 0 3-6 8-6M10 12h8M10 12c4 0 3 6 8 6",
  roll: "M4 12h11M11 7l5 5l-5 5M20 5v14",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 10.5v6M13.5 10.5v6",
  upload: "M12 15V4M7 8.5l5-5l5 5M5 20h14",
  tag: "M4 4h7l9 9l-7 7l-9-9zM8 8h.01",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1.5-1.5",
  list: "M4 6h4v4H4zM4 14h4v4H4zM11 8h9M11 16h9",
  chip: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.1-1.5 2.4M12 17.5h.01M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0",
  find: "M10.5 4a6.5 6.5 0 1 0 .01 0M15.5 15.5L21 21",
  up: "M6 15l6-6 6 6",
  map: "M4 5h16v14H4zM8 9h7v6H8z",
  fold: "M4 6h16M4 18h16M9 10l3 2.5 3-2.5M9 14h6",
  subtree: "M4 8V4h4M20 8V4h-4M4 16v4h4M20 16v4h-4M9 12h6M12 9v6",
  ghost: "M5 12h.01M9 12h.01M13 12h.01M17 9a3 3 0 1 0 .01 0",
  keys: "M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8",
  legend: "M5 6h.01M5 12h.01M5 18h.01M10 6h9M10 12h9M10 18h9",
  drawer: "M4 5h16v14H4zM14 5v14",
  curves: "M4 4v16h16M7.5 15.5l4-5 3.5 3 5-7.5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
};

/** One of the page's line icons. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "lab-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
