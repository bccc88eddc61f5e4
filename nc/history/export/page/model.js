// What is shown, how it was at any moment, and which moment is chosen. Changes nothing of the page.
//
// A position is a number of events that have happened: 0 is before the first, `count` is the end.
// The data comes in chunks, of which the first may be all; `nc/history/export/chunks.py` says how a
// chunk is laid out.

export let count = 0;
export let session = 0; // of what has been read: another one begins with its own first chunk

export let states = []; // names
export let eventTypes = []; // every type of event that there can be, by name
export const kinds = []; // { type, fields, node }
export const statuses = []; // { state, address, expiresMs, name, labels }
export const nodes = []; // { place, id, at, status, drops }, in order of registration
export const nodeById = new Map();
export const restarts = []; // { position, crashed }: starts of the server
export const typeCounts = new Map();

const texts = [];
const entryData = []; // [ms since the entry before, actor, method, request id], four an entry
const eventData = []; // of the event that led to position n + 1
const networks = { at: [0], names: [""] }; // the overlay network, from positions on
const tokenLabels = new Map(); // by the token's id

// By position; what position 0 has is that of the base. They are longer than what is in them.
export let seqs = new Float64Array(1);
export let times = new Float64Array(1); // Unix ms
export let drawnTimes = new Float64Array(1); // a clock that was put back does not go back here
let entries = new Uint32Array(1); // where the entry is in entryData
export let nodeOf = new Int32Array(1).fill(-1); // the place in `nodes`
export let totals = []; // how many nodes are in each state, by state
export let mostNodes = 1; // that there ever were

// A live source sets how far the server's clock is ahead of this one, ms, and the sequence number
// that there is more up to.
export const live = { aheadMs: null, endSeq: 0 };

let isRunning = false; // the server, as of the last event

function grown(array, length) {
  if (array.length >= length) return array;
  const larger = new array.constructor(Math.max(length, 2 * array.length));
  larger.set(array);
  return larger;
}

// Add what happened after what is there.
export function append(chunk) {
  if (chunk.states) begin(chunk);
  const first = count + 1;
  for (const text of chunk.texts) texts.push(text);
  for (const [type, fields] of chunk.kinds) {
    kinds.push({
      type,
      fields,
      node: fields.indexOf("node_id"),
      network: fields.indexOf("network_address"),
    });
  }
  for (const [state, address, expiresMs, name, labels] of chunk.statuses) {
    statuses.push({ state: states.indexOf(state), address, expiresMs, name, labels });
  }
  const length = count + chunk.events.length + 1;
  [seqs, times, drawnTimes] = [seqs, times, drawnTimes].map((each) => grown(each, length));
  [entries, nodeOf] = [entries, nodeOf].map((each) => grown(each, length));
  totals = totals.map((each) => grown(each, length));
  const places = chunk.nodes.map(([id]) => placeOf(texts[id]));
  decodeEvents(chunk, new Map(chunk.nodes.map(([id], i) => [id, places[i]])));
  chunk.nodes.forEach((node, i) => decodeSteps(chunk.start, nodes[places[i]], node));
  for (const total of totals) for (let p = first; p <= count; p++) total[p] += total[p - 1];
  for (let p = first - 1; p <= count; p++) mostNodes = Math.max(mostNodes, sumAt(p));
}

function begin(chunk) {
  session++;
  for (const list of [kinds, statuses, nodes, restarts, texts, entryData, eventData]) {
    list.length = 0;
  }
  for (const map of [nodeById, typeCounts, tokenLabels]) map.clear();
  [count, mostNodes, isRunning] = [0, 1, false];
  [states, eventTypes] = [chunk.states, chunk.types];
  totals = states.map(() => new Int32Array(1));
  [networks.at, networks.names] = [[0], [chunk.network]];
  for (const [id, label] of chunk.tokens ?? []) tokenLabels.set(id, label);
  seqs[0] = chunk.base;
  times[0] = drawnTimes[0] = 0;
}

function placeOf(id) {
  const known = nodeById.get(id);
  if (known) return known.place;
  const node = { place: nodes.length, id, at: [], status: [], drops: [] };
  nodes.push(node);
  nodeById.set(id, node);
  return node.place;
}

function decodeEvents(chunk, placeOfText) {
  let [seq, time, entry] = [seqs[count], 0, entryData.length - 4];
  let read = 0;
  for (const event of chunk.events) {
    const [seqStep, isNewEntry, kind] = event;
    const position = ++count;
    seq += seqStep;
    if (isNewEntry) {
      time += chunk.entries[read];
      for (let i = 0; i < 4; i++) entryData.push(chunk.entries[read++]);
      entry += 4;
    }
    eventData.push(event);
    seqs[position] = seq;
    times[position] = time;
    drawnTimes[position] = position === 1 ? time : Math.max(time, drawnTimes[position - 1]);
    if (position === 1) times[0] = drawnTimes[0] = time;
    entries[position] = entry;
    const place = kinds[kind].node;
    const id = place >= 0 ? event[3 + place] : -1;
    nodeOf[position] =
      place >= 0 ? (placeOfText.get(id) ?? nodeById.get(texts[id])?.place ?? -1) : -1;
    for (const total of totals) total[position] = 0;
    note(position, kinds[kind], event);
  }
}

// What is kept of some events, so that nobody has to look for them.
function note(position, { type, fields, network }, event) {
  typeCounts.set(type, (typeCounts.get(type) ?? 0) + 1);
  if (network >= 0) {
    networks.at.push(position);
    networks.names.push(texts[event[3 + network]]);
  }
  if (type === "ReplicaStarted") {
    restarts.push({ position, crashed: isRunning });
    isRunning = true;
  } else if (type === "ReplicaStopped") isRunning = false;
  else if (type === "TokenIssued" && fields.includes("label")) {
    const value = (name) => texts[event[3 + fields.indexOf(name)]];
    tokenLabels.set(value("token_id"), value("label"));
  }
}

function decodeSteps(start, node, steps) {
  const connected = states.indexOf("CONNECTED");
  let position = start;
  for (let i = 1; i < steps.length; i += 2) {
    position += steps[i];
    const before = stateOf(node.status.at(-1));
    const after = stateOf(steps[i + 1]);
    if (before >= 0) totals[before][position]--;
    if (after >= 0) totals[after][position]++;
    const drops = node.drops.at(-1) ?? 0;
    node.at.push(position);
    node.status.push(steps[i + 1]);
    node.drops.push(drops + (before === connected && after !== connected ? 1 : 0));
  }
}

function stateOf(status) {
  return status ? statuses[status - 1].state : -1;
}

export function sumAt(position) {
  let all = 0;
  for (const total of totals) all += total[position];
  return all;
}

// The last place among the first `length` of a sorted array whose value is at most this, or -1.
export function lastAtMost(sorted, value, length = sorted.length) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// How a node is at a position: the last change at or before it. null: it is not registered.
export function statusAt(node, position) {
  const change = lastAtMost(node.at, position);
  return change < 0 ? null : statusOf(node.status[change]);
}

// What a step of a node's `status` stands for; null: not registered.
export function statusOf(step) {
  return step ? statuses[step - 1] : null;
}

// What a node was called at a position, or last before it; its id if it has no name.
export function nameAt(node, position) {
  for (let change = lastAtMost(node.at, position); change >= 0; change--) {
    const status = node.status[change];
    if (status) return statuses[status - 1].name || node.id;
  }
  return statuses[node.status[0] - 1]?.name || node.id;
}

// When a position is: at the end of a live source it is now.
export function timeAt(position) {
  const isNow = position === count && live.aheadMs !== null;
  return isNow ? Math.max(times[count], Date.now() + live.aheadMs) : times[position];
}

export function networkAt(position) {
  return networks.names[lastAtMost(networks.at, position)];
}

export function tokenLabel(id) {
  return tokenLabels.get(id) ?? "";
}

export function positionOfSeq(seq) {
  return Math.max(0, lastAtMost(seqs, seq, count + 1));
}

// The event that led to a position from 1 on.
export function eventAt(position) {
  const [, , kind, ...values] = eventData[position - 1];
  const [, actor, method, request] = entryData.slice(entries[position], entries[position] + 4);
  return {
    position,
    seq: seqs[position],
    time: times[position],
    type: kinds[kind].type,
    fields: kinds[kind].fields.map((name, i) => [name, texts[values[i]]]),
    actor: texts[actor],
    method: texts[method],
    request: texts[request],
  };
}

// The positions of the events that are asked for: of this type, this node, with this text.
export function eventsWhere(type, node, text) {
  const wanted = text.toLowerCase();
  const holds = wanted && texts.map((each) => each.toLowerCase().includes(wanted));
  const named = wanted && nodes.map((each) => nameAt(each, count).toLowerCase().includes(wanted));
  const found = [];
  for (let p = 1; p <= count; p++) {
    if (node && nodeOf[p] !== node.place) continue;
    const event = eventData[p - 1];
    if (type && kinds[event[2]].type !== type) continue;
    if (wanted && !named[nodeOf[p]] && !mentions(p, event, holds, wanted)) continue;
    found.push(p);
  }
  return found;
}

function mentions(position, event, holds, wanted) {
  for (let i = 3; i < event.length; i++) if (holds[event[i]]) return true;
  for (let i = 1; i < 4; i++) if (holds[entryData[entries[position] + i]]) return true;
  return String(seqs[position]) === wanted || kinds[event[2]].type.toLowerCase().includes(wanted);
}
