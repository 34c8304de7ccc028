/**
 * What a person has begun to write and is not kept yet: one text per kind, session and node. It
 * lasts as long as the browser's tab.
 */

const place = (kind, session, node) => `lab-draft ${kind} ${session} ${node}`;

/** @returns {string} the draft, "" if there is none */
export function draft(kind, session, node) {
  try {
    return sessionStorage.getItem(place(kind, session, node)) ?? "";
  } catch {
    return ""; // a browser may forbid it
  }
}

/** Keep a draft; an empty one is dropped. */
export function keepDraft(kind, session, node, text) {
  try {
    if (text) sessionStorage.setItem(place(kind, session, node), text);
    else sessionStorage.removeItem(place(kind, session, node));
  } catch {
    // Then it lasts as long as the field.
  }
}
