// The list of events, and all of the one that led to the chosen moment.

const TONES = {
  ReplicaStarted: "server",
  ReplicaStopped: "server",
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
  LogRepaired: "went",
};
const isOneDay = timeText(drawnTimes[0]).slice(0, 10) === timeText(drawnTimes[count]).slice(0, 10);
element("events").classList.toggle("one-day", isOneDay);
let shownEvents = []; // positions

function tone(event) {
  if (event.type !== "StateChanged") return TONES[event.type] ?? "other";
  return `to-${fieldOf(event, "to_state")}`;
}

function fieldOf(event, wanted) {
  return event.fields.find(([name]) => name === wanted)[1];
}

const eventList = new LongList(
  element("events-rows"),
  24,
  (row) => {
    for (const name of ["seq", "at", "type", "what"]) addCell(row, name);
    row.element.addEventListener("click", () => show(shownEvents[row.index]));
  },
  (row, index) => {
    const position = shownEvents[index];
    if (row.position !== position) {
      const event = eventAt(position);
      row.position = position;
      setText(row.cells.seq, String(event.seq));
      setText(row.cells.at, timeText(event.time).slice(isOneDay ? 11 : 5));
      setText(row.cells.type, event.type);
      setClass(row.cells.type, `type ${tone(event)}`);
      setText(row.cells.what, summary(event));
    }
    const isCurrent = position === chosen.position;
    const isChosen = chosen.node !== null && nodeOf[position] === chosen.node.place;
    const when = position > chosen.position ? " later" : "";
    setClass(row.element, `row${when}${isChosen ? " of-node" : ""}`);
    row.element.setAttribute("aria-selected", isCurrent);
  },
  () => lastAtMost(shownEvents, chosen.position),
);

const UNTOLD = new Set(["link_id", "certificates", "from_state"]);

function summary(event) {
  const told = event.fields.filter(([name, value]) => value !== "" && !UNTOLD.has(name));
  return told.map(([name, value]) => fieldSummary(name, value, event)).join(" · ");
}

function fieldSummary(name, value, event) {
  if (name === "node_id" || name === "token_id") return shortened(value, 11);
  if (name === "to_state") return `${fieldOf(event, "from_state")} → ${value}`;
  if (name === "expires_at") return `expires ${value}`;
  return name === "reason" ? value.replaceAll("_", " ") : value;
}

function filterEvents() {
  const only = element("events-only");
  only.disabled = chosen.node === null;
  const node = only.checked && !only.disabled ? chosen.node : null;
  const text = element("events-filter").value.trim();
  shownEvents = eventsWhere(element("events-type").value, node, text);
  const all = shownEvents.length === count;
  setText(element("events-title"), count === 1 ? "1 event" : `${numberText(count)} events`);
  setText(element("events-count"), all ? "" : `${numberText(shownEvents.length)} shown`);
  eventList.setLength(shownEvents.length);
  const absence = count ? "No event fits the filters." : "This log is empty.";
  showAbsence("no-events", shownEvents.length, absence);
}

function showEvents() {
  const index = lastAtMost(shownEvents, chosen.position);
  if (shownEvents.length) eventList.reveal(Math.max(0, index));
  eventList.render();
}

function showCurrent() {
  const card = element("current");
  if (chosen.position === 0) {
    card.replaceChildren(line("p", count ? "Before the first event." : "Nothing has happened."));
    return;
  }
  const event = eventAt(chosen.position);
  const title = line("h3", event.type);
  title.className = `type ${tone(event)}`;
  const list = document.createElement("dl");
  const by = [["actor", event.actor], ["method", event.method], ["request_id", event.request]];
  for (const [name, value] of [...event.fields, ...by]) {
    const pair = list.appendChild(document.createElement("div"));
    const term = name.replaceAll("_", " ");
    pair.append(line("dt", term), line("dd", value || "–"));
    if (value.length > 30) pair.className = "wide";
    pair.title = `${term}: ${value}`;
  }
  card.replaceChildren(title, list);
}

const types = new Map();
for (const [, , kind] of data.events) {
  types.set(kinds[kind].type, (types.get(kinds[kind].type) ?? 0) + 1);
}
element("events-type").append(new Option("all types", ""));
for (const type of data.types.filter((each) => types.has(each))) {
  element("events-type").append(new Option(`${type} (${numberText(types.get(type))})`, type));
}
