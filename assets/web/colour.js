/**
 * The one colour scale for values: viridis, perceptually uniform and safe for colour-blind eyes,
 * the same in tree, inspector, answers and legend.
 */

const STOPS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];
const STEPS = 64;
const TABLE = Array.from({ length: STEPS + 1 }, (_, i) => mix(i / STEPS));

function mix(share) {
  const at = share * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  const rgb = STOPS[low].map((c, k) => Math.round(c + (STOPS[low + 1][k] - c) * (at - low)));
  return { css: `rgb(${rgb.join(",")})`, dark: 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 130 };
}

function entry(value, range) {
  const share = (value - range.low) / (range.high - range.low || 1);
  return TABLE[Math.round(Math.min(1, Math.max(0, share || 0)) * STEPS)];
}

/** CSS colour of a value within a range {low, high}. */
export function colour(value, range) {
  return entry(value, range).css;
}

/** Black or white, whichever reads on that value's colour. */
export function inkOn(value, range) {
  return entry(value, range).dark ? "#ffffff" : "#10131a";
}

/** The scale as a CSS gradient, low to high. */
export function gradient() {
  return `linear-gradient(90deg, ${STOPS.map((rgb) => `rgb(${rgb.join(",")})`).join(", ")})`;
}
