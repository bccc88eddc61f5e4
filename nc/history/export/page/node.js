// One node at the chosen moment: what it is, its certificates, and what happened to it last.
//
// A source that knows more adds to it: `addNodePart` is given the node and a place to fill.

import { chosen, on } from "./chosen.js";
import { box, element, facts, line, setClass, setText } from "./dom.js";
import { summary } from "./events.js";
import { durationText, expiryText, numberText, timeText } from "./format.js";
import {
  eventAt,
  knownFrom,
  lastAtMost,
  nameAt,
  nodeOf,
  states,
  statusAt,
  timeAt,
  times,
} from "./model.js";
import { go } from "./moment.js";
import { chooseNode, expiryWords, GLYPHS } from "./nodes.js";

const STORY = 12; // events
const parts = [];

// `part(node, place)` is called whenever another node or moment is shown.
export function addNodePart(part) {
  parts.push({ part, place: element("node-body").appendChild(box("div", "")) });
}

function showNode() {
  const { node, position } = chosen;
  element("node").hidden = node === null;
  if (!node) return;
  const status = statusAt(node, position);
  const state = status ? states[status.state] : "";
  setText(element("node-title"), nameAt(node, position));
  setText(element("node-state"), status ? `${GLYPHS[state]} ${state}` : "not registered");
  setClass(element("node-state"), `state ${state.toLowerCase()}`);
  for (const { part, place } of parts) part(node, place);
}

function factsOf(node, status) {
  const change = lastAtMost(node.at, chosen.position);
  const since = times[node.at[change]];
  const labels = status?.labels ? status.labels.split(", ") : [];
  return facts([
    ["id", node.id],
    ["address", status ? status.address || "none" : ""],
    ["since", change < 0 || node.at[change] <= knownFrom ? "" : sinceText(since)],
    ["flaps", change < 0 ? "" : numberText(node.drops[change])],
    ["expires", status ? expiryWords(status) : ""],
    [
      "labels",
      labels.length ? box("div", "chips", ...labels.map((l) => line("span", l, "chip"))) : "",
    ],
  ]);
}

function sinceText(since) {
  return `${expiryText(since)}, ${durationText(timeAt(chosen.position) - since)}`;
}

// The positions of a node's events at or before the chosen moment, the newest first.
function* newestOf(node) {
  for (let p = chosen.position; p > 0; p--) if (nodeOf[p] === node.place) yield p;
}

function certificatesOf(node) {
  for (const position of newestOf(node)) {
    const found = eventAt(position).fields.find(([name]) => name === "certificates");
    if (found?.[1]) return found[1].split("; ");
  }
  return [];
}

export function storyItem(time, text, position) {
  const item = box("li", "", line("time", timeText(time).slice(0, 19)), line("span", text));
  item.tabIndex = 0;
  item.addEventListener("click", () => go(position));
  item.addEventListener("keydown", ({ key }) => key === "Enter" && go(position));
  return item;
}

function storyOf(node) {
  const list = box("ul", "story");
  for (const position of newestOf(node)) {
    if (list.children.length === STORY) break;
    const event = eventAt(position);
    const { why, rest } = summary(event);
    const text = [event.type, why || rest].filter(Boolean).join(" · ");
    list.append(storyItem(event.time, text, position));
  }
  return list;
}

addNodePart((node, place) => {
  place.replaceChildren(factsOf(node, statusAt(node, chosen.position)));
});

export function addStory() {
  addNodePart((node, place) => {
    place.replaceChildren(line("h3", "What happened, newest first"), storyOf(node));
  });
}

export function addCertificates() {
  addNodePart((node, place) => {
    const all = certificatesOf(node);
    place.hidden = all.length === 0;
    const list = facts(all.map((text) => [text.split(" ")[0], text.slice(text.indexOf(" ") + 1)]));
    place.replaceChildren(line("h3", "Certificates"), list);
  });
}

element("node-close").addEventListener("click", () => chooseNode(null));
for (const what of ["moment", "node", "look"]) on(what, showNode);
