/**
 * Formulas in TeX, drawn by KaTeX. A formula is only drawn: KaTeX builds elements and text of its own,
 * runs nothing, and its size and its expansions are limited. What it cannot read, and what would link
 * or fetch something, stands as it was written. The script comes with the first formula.
 */

import { el } from "./dom.js";
import { load } from "./script.js";

const FOLDER = new URL("katex/", import.meta.url);
const OPTIONS = { trust: refuse, strict: "ignore", throwOnError: true, maxSize: 12, maxExpand: 300, output: "htmlAndMathml" };
const LONGEST = 2000; // characters of a formula

// $$..$$, \[..\], \(..\), \begin{..}..\end{..}, and $..$ where no amount of money is meant: no space
// inside the signs, no digit after them.
const FORMULA = new RegExp([
  String.raw`\$\$(?<shown>[^$]+)\$\$`,
  String.raw`\\\[(?<bracketed>(?:(?!\\\[|\\\])[^])+)\\\]`,
  String.raw`\\\((?<inline>(?:(?!\\\(|\\\))[^])+)\\\)`,
  String.raw`(?<set>\\begin\{(?<kind>[a-zA-Z]+\*?)\}(?:(?!\\begin)[^])+?\\end\{\k<kind>\})`,
  String.raw`(?<![\\$\w])\$(?<money>(?![\s$])(?:\\[^]|[^$\\\n])+)(?<!\s)\$(?![\d$])`,
].join("|"), "g");
const WORDS = /[a-z]{3,}\s+[a-z]{2,}/i;

let styled = false;

/** Asked by KaTeX about commands that link, fetch or set attributes. */
function refuse({ command }) {
  throw new Error(`${command} is not drawn`);
}

function loadKatex() {
  if (!styled) document.head.append(el("link", { rel: "stylesheet", href: new URL("katex.min.css", FOLDER).href }));
  styled = true;
  return load(new URL("katex.min.js", FOLDER));
}

/**
 * A text in parts: plain ones, and formulas with their source between the signs.
 *
 * @returns {{text: string, tex?: string, shown?: boolean}[]}
 */
export function parts(text) {
  const found = [];
  let end = 0;
  const plain = (until) => until > end && found.push({ text: text.slice(end, until) });
  for (const match of text.matchAll(FORMULA)) {
    const { shown, bracketed, inline, set, money } = match.groups;
    const tex = shown ?? bracketed ?? inline ?? set ?? money;
    if (tex.length > LONGEST || (money !== undefined && !tex.includes("\\") && WORDS.test(tex))) continue;
    plain(match.index);
    found.push({ text: match[0], tex, shown: inline === undefined && money === undefined });
    end = match.index + match[0].length;
  }
  plain(text.length);
  return found.flatMap((part) => (part.tex === undefined ? boxes(part.text) : [part]));
}

/** `\boxed{..}` stands without signs in many answers. */
function boxes(text) {
  const start = text.indexOf("\\boxed{");
  if (start < 0) return [{ text }];
  let depth = 0;
  for (let end = start + 6; end < text.length && end - start < LONGEST; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === "{") depth++;
    else if (text[end] === "}" && --depth === 0) {
      const tex = text.slice(start, end + 1);
      return [...(start ? [{ text: text.slice(0, start) }] : []), { text: tex, tex, shown: false }, ...(end + 1 < text.length ? boxes(text.slice(end + 1)) : [])];
    }
  }
  return [{ text }];
}

export function hasFormulas(text) {
  return known(text).some((part) => part.tex !== undefined);
}

/** The parts of a text; most texts have no sign of a formula and are not looked through. */
function known(text) {
  return /[$\\]/.test(text) ? parts(text) : [{ text }];
}

/** Put a text into an element, its formulas drawn. Gives the element. */
export function write(element, text) {
  element.replaceChildren(...known(text).map((part) => (part.tex === undefined ? document.createTextNode(part.text) : formula(part))));
  return element;
}

function formula({ text, tex, shown }) {
  const place = el("span", { class: shown ? "lab-math is-shown" : "lab-math", title: text, text });
  const draw = () => {
    try {
      window.katex.render(tex, place, { ...OPTIONS, displayMode: shown });
      place.classList.add("is-drawn");
    } catch {
      place.textContent = text;
    }
  };
  if (window.katex) draw();
  else loadKatex().then(draw, () => {});
  return place;
}
