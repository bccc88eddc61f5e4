// The links that the server holds now, what they carry, and what was dropped.

import { ask } from "./api.js";
import { on } from "./chosen.js";
import { element, facts, line } from "./dom.js";
import { bytesText, durationText, numberText, shownName } from "./format.js";
import { nodeById } from "./model.js";
import { chooseNode } from "./nodes.js";
import { soon, whileShown } from "./soon.js";
import { addTab, shownTab, showTab } from "./tabs.js";
import { Table } from "./table.js";

const EVERY_MS = 3000;

let before = { at: 0, byId: new Map() }; // what links carried at the last look

const droppedBy = ({ dropped }) => Object.values(dropped).reduce((all, each) => all + each, 0);

function rate({ link }, name) {
  const old = before.byId.get(link.link_id);
  if (!old) return null;
  return Math.max(0, (link[name] - old[name]) / ((Date.now() - before.at) / 1000));
}

const rateText = (item, name) => (item[name] === null ? "–" : `${bytesText(item[name])}/s`);

const table = new Table(
  "links",
  [
    {
      title: "Node",
      width: "minmax(100px, 1fr)",
      text: ({ name, node_id: id }) => shownName(name || id),
      mono: true,
    },
    { title: "Address", width: "92px", text: ({ address }) => address, mono: true },
    { title: "From", width: "minmax(120px, 0.8fr)", text: ({ link }) => link.peer, mono: true },
    {
      title: "Open for",
      width: "72px",
      text: ({ link }) => durationText(Date.now() - (link.opened_at ?? Date.now())),
      key: ({ link }) => link.opened_at ?? 0,
    },
    {
      title: "In now",
      width: "82px",
      text: (item) => rateText(item, "rateIn"),
      key: ({ rateIn }) => -(rateIn ?? 0),
    },
    {
      title: "Out now",
      width: "82px",
      text: (item) => rateText(item, "rateOut"),
      key: ({ rateOut }) => -(rateOut ?? 0),
    },
    {
      title: "In",
      width: "76px",
      text: ({ link }) => bytesText(link.bytes_in),
      key: ({ link }) => -link.bytes_in,
    },
    {
      title: "Out",
      width: "76px",
      text: ({ link }) => bytesText(link.bytes_out),
      key: ({ link }) => -link.bytes_out,
    },
    {
      title: "Packets in",
      width: "82px",
      text: ({ link }) => numberText(link.packets_in),
      key: ({ link }) => -link.packets_in,
    },
    {
      title: "Out",
      width: "76px",
      text: ({ link }) => numberText(link.packets_out),
      key: ({ link }) => -link.packets_out,
    },
    {
      title: "Dropped",
      width: "72px",
      text: ({ link }) => numberText(droppedBy(link)),
      key: ({ link }) => -droppedBy(link),
      tone: ({ link }) => (droppedBy(link) ? "expired" : ""),
    },
  ],
  { absence: "No node has a link now.", one: "link", onClick: open },
);

function open({ node_id: id }) {
  const node = nodeById.get(id);
  if (!node) return;
  showTab("fleet");
  chooseNode(node);
}

const load = soon(async () => {
  const { links, dropped } = await ask("links");
  const items = links.map((item) => ({
    ...item,
    rateIn: rate(item, "bytes_in"),
    rateOut: rate(item, "bytes_out"),
  }));
  before = { at: Date.now(), byId: new Map(links.map(({ link }) => [link.link_id, link])) };
  table.set(items);
  const reasons = Object.entries(dropped).sort(([, a], [, b]) => b - a);
  const list = facts(reasons.map(([reason, n]) => [reason.replaceAll("_", " "), numberText(n)]));
  element("drops").replaceChildren(
    reasons.length ? list : line("p", "Nothing was dropped.", "faded"),
  );
});

export function addLinks() {
  const shownNow = whileShown(() => shownTab() === "links", load, EVERY_MS);
  addTab("links", "Links", shownNow);
  on("back", shownNow);
}
