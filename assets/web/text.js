/**
 * Text and numbers as the page shows them. Everything here returns plain strings: model and user
 * text reaches the document through `textContent` or canvas text only, never through markup.
 */

// Invisible characters that can reorder or hide text: bidi controls, zero-width characters, soft
// hyphen, line and paragraph separators, the byte order mark and tag characters.
const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** Text with every control, bidi and zero-width character replaced by something one can see. */
export function visible(text) {
  return String(text ?? "").replace(HIDDEN, (character, offset, whole) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    if (code === 0x200d && joinsEmoji(whole, offset)) return character;
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

function joinsEmoji(text, offset) {
  return /\p{Extended_Pictographic}\ufe0f?$/u.test(text.slice(Math.max(0, offset - 3), offset));
}

/** One line of at most `limit` characters, for labels and lists. */
export function line(text, limit = 160) {
  const start = String(text ?? "").slice(0, limit * 4);
  const flat = visible(start.trim().replace(/\s+/g, " "));
  return flat.length > limit ? `${flat.slice(0, limit - 1)}\u2026` : flat;
}

/**
 * The end of a text within `limit` characters, from the start of a word on. Steps that differ
 * mostly differ at their end, and what follows from a step stands there too.
 */
export function ending(text, limit) {
  const flat = line(String(text ?? "").slice(-4 * limit - 8), 4 * limit + 8);
  if (flat.length <= limit && String(text ?? "").length <= 4 * limit) return flat;
  const rest = flat.slice(-Math.max(limit - 2, 1));
  const word = rest.indexOf(" ");
  return `\u2026 ${word >= 0 && word < rest.length * 0.6 ? rest.slice(word + 1) : rest}`;
}

/** Several lines, cut where no reader would go on; says how much is left out. */
export function block(text, limit = 6000) {
  const whole = String(text ?? "");
  const shown = visible(whole.slice(0, limit).replace(/\s+$/, ""));
  const left = whole.length - limit;
  return left > 0 ? `${shown}\n\u2026 ${count(left)} more characters` : shown;
}

/** A number with fixed decimals and a real minus sign; an en dash for "not known". */
export function number(value, decimals = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : "\u2212\u221e";
  const shown = value.toFixed(decimals);
  return Number(shown) === 0 ? shown.replace("-", "") : shown.replace("-", "\u2212"); // no minus before nothing
}

/** A whole number with thousands separators. */
export function count(value) {
  return value === null || value === undefined ? "\u2013" : Math.round(value).toLocaleString("en");
}

/** A count that fits a narrow place: 950, 12.4k, 3.1M. */
export function brief(value) {
  if (value === null || value === undefined) return "\u2013";
  if (value < 10_000) return count(value);
  return value < 1e6 ? `${(value / 1e3).toFixed(1)}k` : `${(value / 1e6).toFixed(1)}M`;
}

/** Seconds as a person reads them. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "\u2013";
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
  return `${count(Math.floor(minutes / 60))} h ${two(minutes % 60)} min`;
}

/** An estimated time: nobody can say it to the second. */
export function roughly(seconds) {
  if (seconds === null || seconds === undefined) return "\u2013";
  if (seconds < 10) return "a few seconds";
  if (seconds < 90) return `${Math.round(seconds / 10) * 10} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${count(Math.floor(minutes / 60))} h ${two(minutes % 60)} min`;
}

function two(value) {
  return String(Math.floor(value)).padStart(2, "0");
}

/** A share from 0 to 1 as a percentage with one decimal. */
export function percent(share) {
  return share === null || share === undefined ? "\u2013" : `${number(100 * share, 1)} %`;
}

/** The ends of an interval of shares. */
export function between(interval) {
  return `${number(100 * interval.low, 1)} to ${number(100 * interval.high, 1)} %`;
}

/** A Unix time as a short local date. */
export function when(seconds) {
  return new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** The end of a path: what tells files apart stands there. */
export function fileName(path) {
  const parts = String(path ?? "").split("/").filter(Boolean);
  return parts.length ? parts[parts.length - 1] : String(path ?? "");
}
