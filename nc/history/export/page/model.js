"use strict";
// What is shown, how it was at any moment, and which moment is chosen. Changes nothing of the page.
//
// A position is a number of events that have happened: 0 is before the first, `count` is the end.
// `nc/history/export/html.py` says how the data is laid out.

const data = JSON.parse(document.getElementById("data").textContent);
const texts = data.texts;
const count = data.events.length;

const kinds = data.kinds.map(([type, fields]) => {
  return { type, fields, node: fields.indexOf("node_id") };
});
const statuses = data.statuses.map(([state, address, expiresMs, expires]) => ({
  state: data.states.indexOf(state),
  address,
  expiresMs,
  expires,
}));

// By position; what position 0 has is that of the base.
const seqs = new Float64Array(count + 1);
const times = new Float64Array(count + 1); // Unix ms
const entries = new Uint32Array(count + 1); // where the entry is in data.entries
const nodeOf = new Int32Array(count + 1).fill(-1); // the place in `nodes`

const nodes = data.nodes.map(([id, ...steps], place) => {
  const length = steps.length / 2;
  const at = new Uint32Array(length);
  const status = new Uint32Array(length);
  for (let i = 0, position = 0; i < length; i++) {
    position += steps[2 * i];
    at[i] = position;
    status[i] = steps[2 * i + 1];
  }
  return { place, id: texts[id], at, status };
});
const nodeById = new Map(nodes.map((node) => [node.id, node]));

const networks = { at: [0], names: [data.network] }; // the overlay network, from positions on

(function decode() {
  const placeOfText = new Map(data.nodes.map(([id], place) => [id, place]));
  let [seq, time, entry] = [data.base, 0, -4];
  seqs[0] = seq;
  data.events.forEach(([seqStep, isNewEntry, kind, ...fields], index) => {
    const position = index + 1;
    seq += seqStep;
    if (isNewEntry) {
      entry += 4;
      time += data.entries[entry];
    }
    seqs[position] = seq;
    times[position] = time;
    entries[position] = entry;
    const network = kinds[kind].fields.indexOf("network_address");
    if (network >= 0) {
      networks.at.push(position);
      networks.names.push(texts[fields[network]]);
    }
    const node = kinds[kind].node;
    if (node >= 0) nodeOf[position] = placeOfText.get(fields[node]) ?? -1;
  });
  times[0] = times[Math.min(1, count)];
})();

// Where a moment is drawn: a clock that was put back must not send the line back.
const drawnTimes = times.slice();
for (let p = 1; p <= count; p++) drawnTimes[p] = Math.max(drawnTimes[p], drawnTimes[p - 1]);
const duration = drawnTimes[count] - drawnTimes[0];

// How many nodes are in each state, by state and position.
const totals = data.states.map(() => new Int32Array(count + 1));
for (const node of nodes) {
  let before = 0;
  node.at.forEach((position, i) => {
    if (before) totals[statuses[before - 1].state][position]--;
    before = node.status[i];
    if (before) totals[statuses[before - 1].state][position]++;
  });
}
for (const total of totals) for (let p = 1; p <= count; p++) total[p] += total[p - 1];

// The last place in a sorted array whose value is at most this; -1 if there is none.
function lastAtMost(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// How a node is at a position: the last change at or before it. null: it is not registered.
function statusAt(node, position) {
  const change = lastAtMost(node.at, position);
  const status = change < 0 ? 0 : node.status[change];
  return status ? statuses[status - 1] : null;
}

function networkAt(position) {
  return networks.names[lastAtMost(networks.at, position)];
}

function positionOfSeq(seq) {
  return Math.max(0, lastAtMost(seqs, seq));
}

// A position on the scale from 0 to 1, and back.
function fractionOf(position, byTime) {
  if (byTime && duration > 0) return (drawnTimes[position] - drawnTimes[0]) / duration;
  return count ? position / count : 0;
}

function positionAt(fraction, byTime) {
  if (byTime && duration > 0) {
    if (fraction <= 0) return 0;
    return lastAtMost(drawnTimes, drawnTimes[0] + fraction * duration + 1e-6);
  }
  return Math.round(Math.min(1, Math.max(0, fraction)) * count);
}

// The event that led to a position from 1 on.
function eventAt(position) {
  const [, , kind, ...values] = data.events[position - 1];
  const [, actor, method, request] = data.entries.slice(entries[position], entries[position] + 4);
  return {
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
function eventsWhere(type, node, text) {
  const wanted = text.toLowerCase();
  const holds = wanted && texts.map((each) => each.toLowerCase().includes(wanted));
  const found = [];
  for (let p = 1; p <= count; p++) {
    if (node && nodeOf[p] !== node.place) continue;
    const event = data.events[p - 1];
    if (type && kinds[event[2]].type !== type) continue;
    if (wanted && !mentions(p, event, holds, wanted)) continue;
    found.push(p);
  }
  return found;
}

function mentions(position, event, holds, wanted) {
  for (let i = 3; i < event.length; i++) if (holds[event[i]]) return true;
  for (let i = 1; i < 4; i++) if (holds[data.entries[entries[position] + i]]) return true;
  return (
    String(seqs[position]) === wanted || kinds[event[2]].type.toLowerCase().includes(wanted)
  );
}

const chosen = { position: count, node: null, byTime: false };

function numberText(number) {
  return number.toLocaleString("en");
}

// Times are UTC throughout.
function timeText(ms) {
  return new Date(ms).toISOString().replace("T", " ").replace("Z", "");
}
