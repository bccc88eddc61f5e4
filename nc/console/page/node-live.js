// What the server says of the chosen node beyond its events: its machine, its link, and why it is
// in its state, in words.

import { ask } from "./api.js";
import { chosen } from "./chosen.js";
import { box, facts, line } from "./dom.js";
import { bytesText, durationText, expiryText, numberText } from "./format.js";
import { positionOfSeq, seqs, tokenLabel } from "./model.js";
import { addNodePart, storyItem } from "./node.js";
import { soon } from "./soon.js";

const EVERY_MS = 3000;

function machine(node) {
  const { facts: said } = node;
  return facts([
    ["note", node.note],
    ["hostname", said.hostname],
    ["system", [said.os, said.architecture].filter(Boolean).join(" ")],
    ["agent", said.agent_version],
    ["seen from", said.peer_address],
    ["registered", node.registered_at ? expiryText(node.registered_at) : ""],
    ["token", tokenLabel(node.token_id) || node.token_id.slice(0, 8)],
    ["certificates", node.certificates_end ? `end ${expiryText(node.certificates_end)}` : ""],
    ["renewal", node.renewable ? "by itself" : "not by itself"],
  ]);
}

function linkFacts({ link }) {
  const dropped = Object.entries(link.dropped).map(([reason, n]) => `${reason} ${numberText(n)}`);
  return facts([
    ["from", link.peer],
    ["open for", durationText(Date.now() - link.opened_at)],
    ["in", `${bytesText(link.bytes_in)}, ${numberText(link.packets_in)} packets`],
    ["out", `${bytesText(link.bytes_out)}, ${numberText(link.packets_out)} packets`],
    ["dropped", dropped.join(", ") || "nothing"],
  ]);
}

// A place that shows what was loaded for the chosen node, if it still is the chosen one.
function loaded(fetch, render) {
  let [place, shownFor] = [null, null];
  const load = soon(async () => {
    const { node, position } = chosen;
    if (!node || !place) return;
    const found = await fetch(node, position);
    if (node !== chosen.node) return;
    shownFor = node;
    place.replaceChildren(...render(found));
  });
  const part = (node, given) => {
    place = given;
    if (shownFor !== node) place.replaceChildren();
    load();
  };
  return { load, part };
}

export function addLiveParts() {
  const now = loaded(
    // as it is now: at another moment it is something else
    (node) => (chosen.isAtEnd ? ask("node", { node: node.id }).catch(() => null) : null),
    (node) => {
      if (!node) return [];
      const link = node.link ? [line("h3", "Link"), linkFacts(node)] : [];
      return [line("h3", "Machine"), machine(node), ...link];
    },
  );
  addNodePart(now.part);
  setInterval(() => !document.hidden && chosen.node && now.load(), EVERY_MS);
  const why = loaded(
    (node, position) => (position ? ask("why", { node: node.id, seq: seqs[position] }) : null),
    (found) => (found ? [line("h3", "How it came to this, newest first"), story(found)] : []),
  );
  addNodePart(why.part);
}

function story({ reasons, left_out: leftOut }) {
  const items = reasons.toReversed().map(({ seq, time_ms: time, sentence, actor }) => {
    const item = storyItem(time, sentence, positionOfSeq(seq));
    item.title = `event ${seq}, by ${actor}`;
    return item;
  });
  if (leftOut) items.splice(-10, 0, line("li", `… ${numberText(leftOut)} more`, "faded"));
  return box("ul", "story", ...items);
}
