// The list of events, and all of the one that led to the chosen moment.

import { chosen, on } from "./chosen.js";
import { element, facts, line, setClass, setText, showAbsence } from "./dom.js";
import { expiryText, numberText, shortened, shownName, timeText } from "./format.js";
import { addCell, LongList, onArrows } from "./lists.js";
import {
  count,
  drawnTimes,
  eventAt,
  eventsWhere,
  eventTypes,
  lastAtMost,
  nameAt,
  nodeById,
  nodeOf,
  tokenLabel,
  typeCounts,
} from "./model.js";
import { go } from "./moment.js";

const TONES = {
  ReplicaStarted: "server",
  ReplicaStopped: "server",
  LeaderElected: "server",
  ReplicaLost: "server",
  ReplicaAddressBound: "server",
  DigestRecorded: "other",
  TokenIssued: "token",
  TokenRevoked: "went",
  TokenExpired: "token",
  NodeRegistered: "came",
  NodeUpdated: "came",
  NodeFactsReported: "other",
  CertificatesRenewed: "expiry",
  AddressBound: "address",
  AddressReleased: "address",
  ExpiryChanged: "expiry",
  Unregistered: "went",
  NodeForgotten: "went",
  AdministratorAdded: "came",
  AdministratorRevoked: "went",
  LitekubeImported: "server",
  ReplicaInvited: "token",
  InvitationRedeemed: "came",
  InvitationEnded: "token",
  ReplicaRemoved: "went",
  LogRepaired: "went",
};
let isOneDay = true;
let shownEvents = []; // positions

export function tone(event) {
  if (event.type !== "StateChanged") return TONES[event.type] ?? "other";
  return `to-${fieldOf(event, "to_state")}`;
}

function fieldOf(event, wanted) {
  return event.fields.find(([name]) => name === wanted)?.[1] ?? "";
}

const eventList = new LongList(
  element("events-rows"),
  (row) => {
    for (const name of ["seq", "at", "type", "what"]) addCell(row, name);
    row.position = -1;
    row.element.addEventListener("click", () => go(shownEvents[row.index]));
  },
  (row, index) => {
    const position = shownEvents[index];
    if (row.position !== position) fillEvent(row, position);
    const isCurrent = position === chosen.position;
    const isChosen = chosen.node !== null && nodeOf[position] === chosen.node.place;
    const when = position > chosen.position ? " later" : "";
    setClass(row.element, `row${when}${isChosen ? " of-node" : ""}`);
    row.element.setAttribute("aria-selected", isCurrent);
  },
  () => lastAtMost(shownEvents, chosen.position),
);

function fillEvent(row, position) {
  const event = eventAt(position);
  row.position = position;
  setText(row.cells.seq, String(event.seq));
  setText(row.cells.at, timeText(event.time).slice(isOneDay ? 11 : 5));
  setText(row.cells.type, event.type);
  setClass(row.cells.type, `type ${tone(event)}`);
  const { why, rest } = summary(event);
  row.cells.what.replaceChildren(line("b", why), line("span", rest));
  row.cells.what.title = [why, rest].filter(Boolean).join(" · ");
}

const LEFT_OUT = new Set([
  ...["link_id", "certificates", "certificate", "from_state", "to_state", "reason", "session"],
  ...["is_alone", "key_check", "grpc_authority", "network_authority", "key_sha256"],
  ...["attempt_id", "serial", "digest", "database_sha256", "remembered_until_ms"],
]);

const FLAGS = new Set(["taken_back", "imported", "assigned", "installed"]);

// Where nothing else says which server is meant.
const BY_SESSION = new Set(["LeaderElected", "ReplicaLost", "ReplicaAddressBound"]);

function isLeftOut(name, type) {
  return LEFT_OUT.has(name) && !(name === "session" && BY_SESSION.has(type));
}

// What an event says in a line: why, which is never cut, and what else.
export function summary(event) {
  const reason = fieldOf(event, "reason").replaceAll("_", " ");
  const isMove = event.type === "StateChanged";
  const why = isMove ? `${fieldOf(event, "to_state").toUpperCase()}: ${reason}` : reason;
  const rest = event.fields
    .filter(([name, value]) => value !== "" && value !== "0" && !isLeftOut(name, event.type))
    .map(([name, value]) => fieldSummary(name, value, event));
  return { why, rest: rest.join(" · ") };
}

function fieldSummary(name, value, event) {
  if (name === "node_id") {
    const node = nodeById.get(value);
    return node ? shownName(nameAt(node, event.position)) : shortened(value, 11);
  }
  if (name === "token_id") return `token ${tokenLabel(value) || shortened(value, 9)}`;
  if (name === "expires_at_ms") return `expires ${expiryText(Number(value))}`;
  return FLAGS.has(name) ? name.replaceAll("_", " ") : value;
}

export function filterEvents() {
  const only = element("events-only");
  only.disabled = chosen.node === null;
  const node = only.checked && !only.disabled ? chosen.node : null;
  const text = element("events-filter").value.trim();
  shownEvents = eventsWhere(element("events-type").value, node, text);
  const all = shownEvents.length === count;
  setText(element("events-title"), count === 1 ? "1 event" : `${numberText(count)} events`);
  setText(element("events-count"), all ? "" : `${numberText(shownEvents.length)} shown`);
  eventList.setLength(shownEvents.length);
  showAbsence("no-events", shownEvents.length, "No event fits the filters.");
}

export function showEvents() {
  const index = lastAtMost(shownEvents, chosen.position);
  if (shownEvents.length) eventList.reveal(Math.max(0, index));
  eventList.render();
}

function showCurrent() {
  const card = element("current");
  if (chosen.position === 0) {
    card.replaceChildren(line("p", "Before the first event."));
    return;
  }
  const event = eventAt(chosen.position);
  const title = line("h3", event.type, `type ${tone(event)}`);
  const by = [
    ["actor", event.actor],
    ["method", event.method],
    ["request_id", event.request],
  ];
  const list = facts(
    [...event.fields, ...by].map(([name, value]) => [
      name.replace(/_ms$/, "").replaceAll("_", " "),
      name.endsWith("_ms") ? expiryText(Number(value)) : value,
    ]),
  );
  for (const pair of list.children) {
    const value = pair.lastChild.textContent;
    if (value.length > 30) pair.className = "wide";
    pair.title = `${pair.firstChild.textContent}: ${value}`;
  }
  card.replaceChildren(title, list);
}

function showTypes() {
  const select = element("events-type");
  const options = [new Option("all types", "")];
  for (const type of eventTypes.filter((each) => typeCounts.has(each))) {
    options.push(new Option(`${type} (${numberText(typeCounts.get(type))})`, type));
  }
  const before = select.value;
  select.replaceChildren(...options);
  select.value = typeCounts.has(before) ? before : "";
}

onArrows(eventList, (step) => {
  const index = lastAtMost(shownEvents, chosen.position);
  const isListed = shownEvents[index] === chosen.position;
  const next = shownEvents[step > 0 || isListed ? index + step : index];
  if (next) go(next);
});

const EVENTS_ON_PAPER = 60;

export function unrollEvents() {
  const index = lastAtMost(shownEvents, chosen.position);
  eventList.unroll(Math.max(0, index - EVENTS_ON_PAPER / 2), EVENTS_ON_PAPER);
}

export function rollUpEvents() {
  eventList.rollUp();
}

function showAnew() {
  const day = (position) => timeText(drawnTimes[position]).slice(0, 10);
  isOneDay = day(0) === day(count);
  element("events").classList.toggle("one-day", isOneDay);
  for (const row of eventList.rows) row.position = -1;
}

on("grown", () => {
  showAnew();
  showTypes();
  filterEvents();
});
on("moment", () => {
  showCurrent();
  showEvents();
});
on("node", () => {
  filterEvents();
  showEvents();
});
on("look", () => {
  showAnew();
  showCurrent();
  eventList.render();
});
for (const id of ["events-filter", "events-type", "events-only"]) {
  element(id).addEventListener("input", () => {
    filterEvents();
    showEvents();
  });
}
