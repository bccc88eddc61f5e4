// What changed between two moments beside the nodes: tokens, operators, the network.

import { ask } from "./api.js";
import { addChanges } from "./changes.js";
import { on } from "./chosen.js";
import { expiryText } from "./format.js";
import { seqs } from "./model.js";
import { soon } from "./soon.js";

let span = { from: 0, to: 0 };

const value = (field, text) =>
  field.endsWith("_ms") && /^\d+$/.test(text) ? expiryText(Number(text)) : text || "–";

function shown({ subject, id, name, field, before, after }) {
  const came = before ? "went" : "came";
  return {
    node: null,
    who: `${subject} ${name || id.slice(0, 8)}`,
    field: field ? field.replace(/_ms$/, "").replaceAll("_", " ") : came,
    before: value(field, before),
    after: value(field, after),
  };
}

const load = soon(async () => {
  const { from, to } = span;
  if (from === to) return;
  const found = await ask("changes", { from: seqs[from], to: seqs[to] });
  addChanges(from, to, found.map(shown));
});

export function addOtherChanges() {
  on("span", (from, to) => {
    span = { from, to };
    load();
  });
}
