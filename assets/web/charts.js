/**
 * Charts by Plotly in the page's colours. Its script is large: it comes with the first chart.
 *
 * Colours are names of the page's variables ("--lab-accent"), looked up whenever a chart is drawn.
 * Plotly reads some markup in texts, so those that a person or a model may have written are escaped.
 */

import { load } from "./script.js";

const SCRIPT = new URL("plotly.min.js", import.meta.url);
const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, scrollZoom: false, doubleClick: "reset", showTips: false };
const TEXTS = new Set(["name", "text", "hovertext", "ticktext"]);

const specs = new WeakMap();

/**
 * Draw a chart, or change the one that is there. It fills its element, whenever that is seen.
 *
 * @param {HTMLElement} element of a height of its own
 * @param {object[]} traces
 * @param {object} [layout]
 * @param {(point: object) => void} [click] on a point
 */
export function chart(element, traces, layout = {}, click = null) {
  const print = JSON.stringify([traces, layout]);
  const known = specs.get(element);
  if (known?.print === print) return;
  specs.set(element, { traces, layout, print, click });
  if (!known) {
    element.classList.add("lab-chart");
    new ResizeObserver(() => draw(element)).observe(element);
  }
  draw(element);
}

async function draw(element) {
  if (!element.isConnected || !element.clientWidth || !element.clientHeight) return;
  try {
    await load(SCRIPT);
  } catch {
    element.textContent = "The charts\u2019 script did not load.";
    return;
  }
  const { traces, layout } = specs.get(element);
  const { clientWidth: width, clientHeight: height } = element;
  if (!width || !height) return;
  const fresh = !element.on;
  window.Plotly.react(element, resolved(traces), merged(resolved(base()), resolved({ ...layout, width, height })), CONFIG);
  if (fresh) element.on("plotly_click", ({ points }) => specs.get(element).click?.(points[0]));
}

document.addEventListener("lab-theme", () => document.querySelectorAll(".lab-chart").forEach((element) => specs.has(element) && draw(element)));

function base() {
  const axis = { gridcolor: "--lab-line", zeroline: false, linecolor: "--lab-line-2", tickcolor: "--lab-line-2", ticks: "", automargin: true, fixedrange: true, title: { standoff: 8 } };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "Lab Sans, system-ui, sans-serif", size: 12, color: "--lab-ink-2" },
    margin: { l: 8, r: 10, t: 8, b: 8 }, xaxis: { ...axis, showgrid: false }, yaxis: axis,
    showlegend: false, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: "--lab-ink" } },
    hoverlabel: { bgcolor: "--lab-raised", bordercolor: "--lab-line-2", font: { family: "Lab Sans, system-ui, sans-serif", size: 12, color: "--lab-ink" } },
    dragmode: false,
  };
}

function merged(one, other) {
  const both = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const nested = value && typeof value === "object" && !Array.isArray(value) && both[key] && typeof both[key] === "object";
    both[key] = nested ? merged(both[key], value) : value;
  }
  return both;
}

/** The same with colours for their names, and texts that are no markup. */
function resolved(value, key = "") {
  if (typeof value === "string") {
    if (value.startsWith("--lab-")) return getComputedStyle(document.body).getPropertyValue(value).trim();
    return TEXTS.has(key) ? plain(value) : value;
  }
  if (Array.isArray(value)) return value.map((one) => resolved(one, key));
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolved(one, name)]));
}

function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
