/** What differs between two texts, word by word. */

const MOST = 500; // words of each text beyond what both begin and end with

/**
 * @param {string} one
 * @param {string} other
 * @returns {{kind: "same" | "one" | "other", text: string}[]} parts in order
 */
export function differences(one, other) {
  const [first, second] = [words(one), words(other)];
  let start = 0;
  while (start < first.length && start < second.length && first[start] === second[start]) start++;
  let end = 0;
  while (end < first.length - start && end < second.length - start && first[first.length - 1 - end] === second[second.length - 1 - end]) end++;
  const parts = [["same", first.slice(0, start)], ...middle(first.slice(start, first.length - end), second.slice(start, second.length - end)), ["same", first.slice(first.length - end)]];
  return joined(parts);
}

function words(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/** By the longest common sequence; texts too long for that differ as a whole. */
function middle(first, second) {
  if (!first.length || !second.length || first.length > MOST || second.length > MOST) return [["one", first], ["other", second]];
  const wide = second.length + 1;
  const common = new Uint16Array((first.length + 1) * wide);
  for (let i = first.length - 1; i >= 0; i--) {
    for (let j = second.length - 1; j >= 0; j--) {
      common[i * wide + j] = first[i] === second[j] ? common[(i + 1) * wide + j + 1] + 1 : Math.max(common[(i + 1) * wide + j], common[i * wide + j + 1]);
    }
  }
  const parts = [];
  let [i, j] = [0, 0];
  while (i < first.length && j < second.length) {
    if (first[i] === second[j]) {
      parts.push(["same", [first[i]]]);
      i++;
      j++;
    } else if (common[(i + 1) * wide + j] >= common[i * wide + j + 1]) {
      parts.push(["one", [first[i++]]]);
    } else {
      parts.push(["other", [second[j++]]]);
    }
  }
  return [...parts, ["one", first.slice(i)], ["other", second.slice(j)]];
}

function joined(parts) {
  const found = [];
  for (const [kind, list] of parts) {
    if (!list.length) continue;
    const last = found[found.length - 1];
    if (last?.kind === kind) last.text += list.join("");
    else found.push({ kind, text: list.join("") });
  }
  return found;
}
