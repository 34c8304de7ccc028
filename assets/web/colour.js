/**
 * Colour maps: perceptually uniform and safe for colour-blind eyes. Values V have one scale, viridis,
 * the same in tree, inspector, answers, tables and legend; the other maps colour other quantities.
 */

const STOPS = {
  viridis: ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"],
  cividis: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"],
  plasma: ["#0d0887", "#46039f", "#7201a8", "#9c179e", "#bd3786", "#d8576b", "#ed7953", "#fb9f3a", "#fdca26", "#f0f921"],
  magma: ["#180f3d", "#440f76", "#721f81", "#9e2f7f", "#cd4071", "#f1605d", "#fd9668", "#feca8d", "#fcfdbf"],
};

/** How many steps a map has, less one: indices go from 0 to this. */
export const STEPS = 64;

const TABLES = Object.fromEntries(Object.keys(STOPS).map((name) => [
  name, Array.from({ length: STEPS + 1 }, (_, k) => mix(STOPS[name], k / STEPS)),
]));

function mix(stops, share) {
  const at = share * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  const channel = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const rgb = [0, 1, 2].map((k) => {
    const [from, to] = [channel(stops[low], k), channel(stops[low + 1], k)];
    return Math.round(from + (to - from) * (at - low));
  });
  return { css: `rgb(${rgb.join(",")})`, dark: 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 130 };
}

/** The colours of a map: {css, dark} from low to high; `dark` where white ink reads better. */
export function table(map) {
  return TABLES[map];
}

/** Where a value stands in a range {low, high}, as an index into a map's colours. */
export function indexOf(value, { low, high }) {
  const share = (value - low) / (high - low || 1);
  return Math.round(Math.min(1, Math.max(0, share || 0)) * STEPS);
}

/** CSS colour of a value V within a range {low, high}. */
export function colour(value, range) {
  return TABLES.viridis[indexOf(value, range)].css;
}

/** Black or white, whichever reads on that value's colour. */
export function inkOn(value, range) {
  return TABLES.viridis[indexOf(value, range)].dark ? "#ffffff" : "#10131a";
}

/** A map as a CSS gradient, low to high. */
export function gradient(map = "viridis") {
  return `linear-gradient(90deg, ${STOPS[map].join(", ")})`;
}
