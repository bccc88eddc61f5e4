// What changed between two moments, one that is kept and the chosen one: of the nodes, and of what
// else a source tells.

import { chosen, on, tell } from "./chosen.js";
import { element, line, setText, showAbsence } from "./dom.js";
import { expiryText, numberText, shownName, timeText } from "./format.js";
import { addCell, LongList } from "./lists.js";
import { count, nameAt, nodes, session, states, statusAt, times } from "./model.js";
import { chooseNode } from "./nodes.js";
import { addTab, showTab, shownTab } from "./tabs.js";

const FIELDS = [
  ["name", (status) => status.name],
  ["state", (status) => states[status.state]],
  ["address", (status) => status.address || "none"],
  ["labels", (status) => status.labels || "none"],
  ["expires", (status) => expiryText(status.expiresMs)],
];
const COLUMN_NAMES = ["who", "field", "before", "after"];

const start = { position: 0, session: 0 };
let changes = []; // { node, who, field, before, after }; of something else, without a node
let ofNodes = [];
let others = { from: 0, to: 0, changes: [] };

const changeList = new LongList(
  element("changes-rows"),
  (row) => {
    for (const name of COLUMN_NAMES) addCell(row, name);
    row.element.addEventListener("click", () => {
      const { node } = changes[row.index];
      if (!node) return;
      showTab("fleet");
      chooseNode(node);
    });
  },
  (row, index) => {
    for (const name of COLUMN_NAMES) {
      setText(row.cells[name], changes[index][name]);
      row.cells[name].title = changes[index][name];
    }
  },
  () => -1,
);

function changesOf(node, from, to) {
  const [was, is] = [statusAt(node, from), statusAt(node, to)];
  if (was === is) return [];
  const who = shownName(nameAt(node, to));
  const whole = (status) => [states[status.state], status.address].filter(Boolean).join(" ");
  if (!was) return [{ node, who, field: "registered", before: "–", after: whole(is) }];
  if (!is) return [{ node, who, field: "unregistered", before: whole(was), after: "–" }];
  return FIELDS.map(([field, text]) => ({
    node,
    who,
    field,
    before: text(was),
    after: text(is),
  })).filter(({ before, after }) => before !== after);
}

function showChanges() {
  if (shownTab() !== "changes") return;
  if (start.session !== session || start.position > count) {
    Object.assign(start, { position: 0, session });
  }
  const [from, to] = [start.position, chosen.position].sort((a, b) => a - b);
  ofNodes = nodes.flatMap((node) => changesOf(node, from, to));
  tell("span", from, to);
  const when = (position) => (position ? timeText(times[position]).slice(0, 19) : "the beginning");
  setText(element("changes-span"), `from ${when(from)} to ${when(to)}`);
  list(from, to);
}

// What a source has found out about the changes between two positions, beside those of nodes.
export function addChanges(from, to, found) {
  others = { from, to, changes: found };
  list(from, to);
}

function list(from, to) {
  const isOfThese = others.from === from && others.to === to;
  changes = isOfThese ? [...ofNodes, ...others.changes] : ofNodes;
  const number = changes.length;
  setText(element("changes-title"), number === 1 ? "1 change" : `${numberText(number)} changes`);
  changeList.setLength(number);
  changeList.render();
  showAbsence("no-changes", number, "Nothing changed between the two moments. Move the slider.");
}

element("changes-columns").replaceChildren(
  ...["Who or what", "Field", "Before", "After"].map((title) => line("span", title)),
);
element("changes-start").addEventListener("click", () => {
  Object.assign(start, { position: chosen.position, session });
  showChanges();
});
for (const what of ["moment", "look"]) on(what, showChanges);

export function addChangesTab() {
  addTab("changes", "Changes", showChanges);
}
