// How the server is: what is wrong now, its log, its addresses, its certificates' ends.

import { ask } from "./api.js";
import { on } from "./chosen.js";
import { box, element, facts, line, setText } from "./dom.js";
import { bytesText, durationText, expiryText, numberText } from "./format.js";
import { soon, whileShown } from "./soon.js";
import { addTab, shownTab } from "./tabs.js";

const EVERY_MS = 3000;

const SCROLLED = "#servers .scrolled"; // stays where it is when it is made anew

const card = (title, ...inside) => box("section", "panel card", line("h2", title), ...inside);

function tile(title, value, more = "") {
  return box("div", "tile", line("span", title), line("b", value), line("small", more));
}

function meter(used, total) {
  const bar = document.createElement("progress");
  Object.assign(bar, { max: Math.max(1, total), value: used });
  return bar;
}

function troubles(status) {
  const list = status.degraded.map((text) => line("li", text));
  if (!status.log.writable) list.push(line("li", "The log cannot be written: nothing can change."));
  return list.length ? box("ul", "troubles", ...list) : line("p", "Nothing is wrong.", "good");
}

function shownTime(ms) {
  return ms === null ? "–" : expiryText(ms);
}

const COLUMNS = [
  ["Server", (each) => line("th", each.self ? `${each.id} (this one)` : each.id)],
  ["State", (each) => line("td", each.lost ? "lost" : each.state, each.state === "running" ? "good" : "expired")],
  ["Role", (each) => line("td", each.role ?? "–")],
  ["Lag", (each) => line("td", each.lag_events === null ? "–" : numberText(each.lag_events))],
  ["Links", (each) => line("td", numberText(each.links))],
  ["Version", (each) => line("td", each.version || "–")],
  ["Since", (each) => line("td", shownTime(each.ended ?? each.since))],
  ["Address", (each) => line("td", each.address ?? "–")],
  ["Session", (each) => line("td", each.sessions.join(", ") || "–")],
];

function servers(list) {
  const head = box("tr", "", ...COLUMNS.map(([title]) => line("th", title)));
  const rows = list.map((each) => box("tr", "", ...COLUMNS.map(([, cell]) => cell(each))));
  const table = box("table", "", box("thead", "", head), box("tbody", "", ...rows));
  const scrolled = box("div", "scrolled", table);
  Object.assign(scrolled, { tabIndex: 0, role: "region", ariaLabel: "Servers" });
  const section = card("Servers", scrolled);
  section.id = "servers";
  return section;
}

function shown(status, replicas) {
  const { log } = status;
  const nodes = status.nodes_idle + status.nodes_init + status.nodes_connected;
  const share = nodes ? `${Math.round((100 * status.nodes_connected) / nodes)} %` : "";
  const addresses = `${numberText(status.addresses_bound)} of ${numberText(status.addresses_total)}`;
  return [
    box(
      "div",
      "tiles",
      tile("Connected", numberText(status.nodes_connected), share),
      tile("Idle", numberText(status.nodes_idle), `${numberText(status.nodes_init)} connecting`),
      tile("Events", numberText(log.last_seq), bytesText(log.size_bytes)),
      tile(
        "Up for",
        durationText(status.now - status.started_at),
        `since ${expiryText(status.started_at).slice(5, 16)}`,
      ),
      tile(
        "Free for the log",
        bytesText(log.free_bytes),
        log.writable ? "writable" : "not writable",
      ),
      tile("Tokens", numberText(status.tokens), "good now"),
    ),
    ...(replicas.length > 1 ? [servers(replicas)] : []),
    box(
      "div",
      "cards",
      card(
        "State",
        troubles(status),
        line("h3", "Addresses"),
        line("p", `${addresses} are in use`),
        meter(status.addresses_bound, status.addresses_total),
      ),
      card(
        "Server",
        facts([
          ["version", status.version],
          ["network", status.network],
          ["reached at", status.advertised_names.join(", ") || status.advertised],
          ["replica", status.replica_id],
          ["its clock", expiryText(status.now)],
        ]),
      ),
      card(
        "Log",
        facts([
          ["stream", log.stream],
          ["folder", log.folder],
          ["events", `${numberText(log.first_seq)} to ${numberText(log.last_seq)}`],
          ["snapshot", log.snapshot_seq ? `of event ${numberText(log.snapshot_seq)}` : "none"],
          ["size", bytesText(log.size_bytes)],
          ["free", bytesText(log.free_bytes)],
        ]),
      ),
      card(
        "Certificates",
        facts(
          status.certificates.map((each) => [
            `${each.authority} ${each.kind}`,
            expiryText(each.not_after ?? 0),
          ]),
        ),
        line(
          "p",
          `${numberText(status.unrenewable_nodes)} nodes have certificates that end within 30 days and cannot be renewed.`,
          status.unrenewable_nodes ? "expired" : "faded",
        ),
      ),
    ),
  ];
}

const load = soon(async () => {
  const status = await ask("status");
  const replicas = status.log.stream ? await ask("servers") : [];
  const before = document.querySelector(SCROLLED);
  const [left, isHere] = [before?.scrollLeft ?? 0, before && document.activeElement === before];
  element("server-body").replaceChildren(...shown(status, replicas));
  const after = document.querySelector(SCROLLED);
  if (left) after?.scrollTo({ left });
  if (isHere) after?.focus({ preventScroll: true });
});

export function addServer() {
  const shownNow = whileShown(() => shownTab() === "server", load, EVERY_MS);
  addTab("server", "Server", shownNow);
  on("back", shownNow);
  on("look", shownNow);
  on("health", (isDegraded) => setText(element("tab-server"), isDegraded ? "Server ⚠" : "Server"));
}
