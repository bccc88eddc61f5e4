// The table of nodes: who is registered at the chosen moment, and how they are then.

const GLYPHS = { CONNECTED: "●", INIT: "◐", IDLE: "○" };
const COLUMNS = [
  { name: "id", title: "Node" },
  { name: "state", title: "State", key: ({ status }) => status.state },
  { name: "address", title: "Address", key: ({ status }) => addressNumber(status.address) },
  { name: "expiry", title: "Expires", key: ({ status }) => status.expiresMs || Infinity },
];
const byId = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
const sorting = { column: COLUMNS[0], descending: false };
let shownNodes = []; // { node, status }

function addressNumber(address) {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

const nodeList = new LongList(
  element("nodes-rows"),
  26,
  (row) => {
    for (const { name } of COLUMNS) addCell(row, name);
    row.element.addEventListener("click", () => {
      const { node } = shownNodes[row.index];
      chooseNode(node === chosen.node ? null : node);
    });
  },
  (row, index) => {
    const { node, status } = shownNodes[index];
    const state = data.states[status.state];
    setText(row.cells.id, node.id);
    row.cells.id.title = node.id;
    setText(row.cells.state, `${GLYPHS[state]} ${state}`);
    setClass(row.cells.state, `state ${state.toLowerCase()}`);
    setText(row.cells.address, status.address || "–");
    setText(row.cells.expiry, expiryText(status));
    setClass(row.cells.expiry, isExpired(status) ? "expiry expired" : "expiry");
    row.element.setAttribute("aria-selected", node === chosen.node);
  },
  () => shownNodes.findIndex(({ node }) => node === chosen.node),
);

function showNodes() {
  const wanted = element("nodes-filter").value.trim().toLowerCase();
  shownNodes = [];
  let all = 0;
  for (const node of byId) {
    const status = statusAt(node, chosen.position);
    if (!status) continue;
    all++;
    if (!wanted || nodeText(node, status).includes(wanted)) shownNodes.push({ node, status });
  }
  sortNodes();
  const part = shownNodes.length < all ? `${numberText(shownNodes.length)} of ` : "";
  setText(element("nodes-title"), all === 1 ? `${part}1 node` : `${part}${numberText(all)} nodes`);
  data.states.forEach((state, place) => {
    setText(counts[place], `${GLYPHS[state]} ${numberText(totals[place][chosen.position])}`);
  });
  nodeList.setLength(shownNodes.length);
  nodeList.render();
  showAbsence("no-nodes", shownNodes.length, all ? "No node fits the filter." : "No node yet.");
}

// By id they are already; a sort keeps the order of those that are equal otherwise.
function sortNodes() {
  const { key } = sorting.column;
  const sign = sorting.descending ? -1 : 1;
  if (key) {
    for (const each of shownNodes) each.key = key(each);
    shownNodes.sort((a, b) => sign * ((a.key > b.key) - (a.key < b.key)));
  } else if (sorting.descending) shownNodes.reverse();
}

function nodeText(node, status) {
  const { state, address } = status;
  return `${node.id} ${data.states[state]} ${address} ${expiryText(status)}`.toLowerCase();
}

function isExpired({ expiresMs }) {
  return expiresMs !== 0 && times[chosen.position] >= expiresMs;
}

function expiryText(status) {
  return (isExpired(status) ? "expired " : "") + status.expires;
}

const counts = data.states.map((state) => {
  const item = document.createElement("span");
  element("counts").prepend(item); // connected first
  item.className = `state ${state.toLowerCase()}`;
  item.title = `nodes that are ${state}`;
  return item;
});

for (const column of COLUMNS) {
  const head = element("nodes-columns").appendChild(document.createElement("span"));
  head.role = "columnheader";
  head.className = column.name;
  const button = head.appendChild(document.createElement("button"));
  button.textContent = column.title;
  column.head = head;
  button.addEventListener("click", () => {
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
