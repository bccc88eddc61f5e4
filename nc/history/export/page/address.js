// The moment, the node and the view are in the address after `#`, so that a link points at them.

import { chosen, on } from "./chosen.js";
import { count, knownFrom, nodeById, positionOfSeq, seqs } from "./model.js";
import { chooseScale } from "./moment.js";
import { chooseNode } from "./nodes.js";
import { showTab, shownTab, tabNames } from "./tabs.js";

let remembering = 0;
let known = location.hash; // as this page wrote or read it last
let awaited = null; // the sequence number of the moment in the address, while it is not read yet

export function rememberSoon() {
  // browsers refuse more than some ten changes of the address a second
  if (!remembering) remembering = setTimeout(remember, 250);
}

function remember() {
  remembering = 0;
  if (location.hash !== known) return; // somebody has gone elsewhere, which `recall` is told next
  const parts = new URLSearchParams();
  if (!chosen.isAtEnd) parts.set("seq", seqs[chosen.position]);
  else if (awaited !== null) parts.set("seq", awaited);
  if (chosen.node) parts.set("node", chosen.node.id);
  if (chosen.byTime !== usual.byTime) parts.set("by", chosen.byTime ? "time" : "event");
  if (shownTab() !== tabNames()[0]) parts.set("view", shownTab());
  const wanted = String(parts) ? `#${parts}` : "";
  if (known !== wanted) history.replaceState(null, "", wanted || location.pathname);
  known = location.hash;
}

export const usual = { byTime: false };

// All has been read: gives the moment that was waited for, if nobody went elsewhere meanwhile.
export function awaitedSeq() {
  const seq = awaited;
  awaited = null;
  return seq;
}

export function recall() {
  known = location.hash;
  const parts = new URLSearchParams(location.hash.slice(1));
  const text = parts.get("seq");
  const seq = text !== null && /^\d+$/.test(text) ? Number(text) : null;
  awaited = seq !== null && seq < seqs[knownFrom] ? seq : null;
  chosen.position = seq === null || awaited !== null ? count : positionOfSeq(seq);
  chooseScale(parts.has("by") ? parts.get("by") === "time" : usual.byTime);
  chooseNode(nodeById.get(parts.get("node")) ?? null);
  showTab(tabNames().includes(parts.get("view")) ? parts.get("view") : tabNames()[0]);
}

on("moment", () => {
  if (!chosen.isAtEnd) awaited = null;
});
for (const what of ["moment", "node", "tab"]) on(what, rememberSoon);
addEventListener("hashchange", recall);
