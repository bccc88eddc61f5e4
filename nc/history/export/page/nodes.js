// The table of nodes: who is registered at the chosen moment, and how they are then.

import { chosen, on, tell } from "./chosen.js";
import { element, line, setClass, setText, showAbsence } from "./dom.js";
import { durationText, expiryText, numberText, shownName } from "./format.js";
import { addCell, LongList, onArrows } from "./lists.js";
import {
  count,
  lastAtMost,
  nameAt,
  nodes,
  states,
  statusOf,
  timeAt,
  times,
  totals,
} from "./model.js";

export const GLYPHS = { CONNECTED: "●", INIT: "◐", IDLE: "○" };

const COLUMNS = [
  { name: "id", title: "Node" },
  { name: "state", title: "State", key: ({ status }) => status.state },
  { name: "address", title: "Address", key: ({ status }) => addressNumber(status.address) },
  { name: "expiry", title: "Expires", key: ({ status }) => status.expiresMs || Infinity },
  { name: "since", title: "Last seen", key: (each) => -each.seen },
  { name: "flaps", title: "Flaps", key: (each) => -each.flaps },
  { name: "labels", title: "Labels", key: ({ status }) => status.labels || "\uffff" },
];
const sorting = { column: COLUMNS[0], descending: false };
let byName = []; // nodes, by their names at the end
let shownNodes = []; // { node, status, seen, flaps }

function addressNumber(address) {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

const nodeList = new LongList(
  element("nodes-rows"),
  (row) => {
    for (const { name } of COLUMNS) addCell(row, name);
    row.element.addEventListener("click", () => {
      const { node } = shownNodes[row.index];
      chooseNode(node === chosen.node ? null : node);
    });
  },
  fillRow,
  () => shownNodes.findIndex(({ node }) => node === chosen.node),
);

function fillRow(row, index) {
  const { node, status, seen, flaps } = shownNodes[index];
  const state = states[status.state];
  setText(row.cells.id, shownName(status.name || node.id));
  row.cells.id.title = status.name ? `${status.name}, ${node.id}` : node.id;
  setText(row.cells.state, `${GLYPHS[state]} ${state}`);
  setClass(row.cells.state, `state ${state.toLowerCase()}`);
  setText(row.cells.address, status.address || "–");
  setText(row.cells.expiry, expiryWords(status));
  row.cells.expiry.title = row.cells.expiry.textContent;
  setClass(row.cells.expiry, isExpired(status) ? "expiry expired" : "expiry");
  setText(row.cells.since, seenText(state, seen));
  setText(row.cells.flaps, flaps ? numberText(flaps) : "–");
  setText(row.cells.labels, status.labels);
  row.cells.labels.title = status.labels;
  row.element.setAttribute("aria-selected", node === chosen.node);
}

// When a node was last heard of, as far as events tell: now if it has a link, or how long ago.
function seenText(state, seen) {
  if (state !== "IDLE") return "now";
  return seen ? `${durationText(timeAt(chosen.position) - times[seen])} ago` : "–";
}

export function chooseNode(node) {
  if (node === chosen.node) return;
  chosen.node = node;
  revealNode();
  tell("node");
}

function revealNode() {
  const index = shownNodes.findIndex((each) => each.node === chosen.node);
  if (index >= 0) nodeList.reveal(index);
  nodeList.render();
}

export function showNodes() {
  const wanted = element("nodes-filter").value.trim().toLowerCase();
  const gone = []; // of those that fit the filter
  shownNodes = [];
  let all = 0;
  for (const node of byName) {
    const change = lastAtMost(node.at, chosen.position);
    const status = change < 0 ? null : statusOf(node.status[change]);
    if (status) {
      all++;
      if (wanted && !nodeText(node, status).includes(wanted)) continue;
      const [seen, flaps] = [change ? node.at[change] : 0, node.drops[change]];
      shownNodes.push({ node, status, seen, flaps });
    } else if (!wanted || `${nameAt(node, count)} ${node.id}`.toLowerCase().includes(wanted)) {
      gone.push(node);
    }
  }
  sortNodes();
  const part = shownNodes.length < all ? `${numberText(shownNodes.length)} of ` : "";
  setText(element("nodes-title"), all === 1 ? `${part}1 node` : `${part}${numberText(all)} nodes`);
  showCounts();
  nodeList.setLength(shownNodes.length);
  nodeList.render();
  const absence = all ? "No node fits the filter." : "No node is registered at this moment.";
  showAbsence("no-nodes", shownNodes.length, absence);
  tell("order", shownNodes.map(({ node }) => node).concat(gone));
}

// By name they are already; a sort keeps the order of those that are equal otherwise.
function sortNodes() {
  const { key } = sorting.column;
  const sign = sorting.descending ? -1 : 1;
  if (key) {
    for (const each of shownNodes) each.key = key(each);
    shownNodes.sort((a, b) => sign * ((a.key > b.key) - (a.key < b.key)));
  } else if (sorting.descending) shownNodes.reverse();
}

function nodeText(node, status) {
  const { state, address, name, labels } = status;
  const text = `${name} ${node.id} ${states[state]} ${address} ${labels} ${expiryWords(status)}`;
  return text.toLowerCase();
}

export function isExpired({ expiresMs }) {
  return expiresMs !== 0 && timeAt(chosen.position) >= expiresMs;
}

export function expiryWords(status) {
  return (isExpired(status) ? "expired " : "") + expiryText(status.expiresMs);
}

let counters = [];

function showCounts() {
  if (counters.length !== states.length) {
    counters = states.map((state) => {
      const item = line("span", "", `state ${state.toLowerCase()}`);
      item.title = `nodes that are ${state}`;
      return item;
    });
    element("counts").replaceChildren(...counters.toReversed()); // connected first
  }
  states.forEach((state, place) => {
    setText(counters[place], `${GLYPHS[state]} ${numberText(totals[place][chosen.position])}`);
  });
}

for (const column of COLUMNS) {
  const head = element("nodes-columns").appendChild(document.createElement("span"));
  head.role = "columnheader";
  head.className = column.name;
  const title = head.appendChild(line("button", column.title));
  column.head = head;
  title.addEventListener("click", () => {
    sorting.descending = sorting.column === column && !sorting.descending;
    sorting.column = column;
    showSorting();
    showNodes();
  });
}

function showSorting() {
  for (const column of COLUMNS) {
    const direction = sorting.descending ? "descending" : "ascending";
    column.head.setAttribute("aria-sort", sorting.column === column ? direction : "none");
  }
}

onArrows(nodeList, (step) => {
  const index = shownNodes.findIndex(({ node }) => node === chosen.node);
  const next = index < 0 ? shownNodes[0] : shownNodes[index + step];
  if (next) chooseNode(next.node);
});

export function unrollNodes() {
  nodeList.unroll(0, nodeList.length);
}

export function rollUpNodes() {
  nodeList.rollUp();
}

on("grown", () => {
  const name = new Map(nodes.map((node) => [node, nameAt(node, count)]));
  byName = [...nodes].sort((a, b) => (name.get(a) < name.get(b) ? -1 : 1));
});
on("moment", showNodes);
on("node", () => nodeList.render());
for (const what of ["look", "tick"]) on(what, () => nodeList.render());
element("nodes-filter").addEventListener("input", showNodes);
showSorting();
