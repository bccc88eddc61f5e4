// What is shown, how it was at any moment, and which moment is chosen. Changes nothing of the page.
//
// A position is a number of events that have happened: 0 is before the first, `count` is the end.

import { Recording } from "./recording.js";

// Of the recording that is shown; `recording.js` says what each is.
export let count, knownFrom, untilMs, states, eventTypes, kinds, statuses, nodes, nodeById;
export let restarts, typeCounts, seqs, times, drawnTimes, nodeOf, totals, mostNodes;
let texts, entryData, eventData, entries, networks, tokenLabels;

export let session = 0; // another one for each recording that is shown

// A live source sets how far the server's clock is ahead of this one, ms, and what share of the past
// it has read; null: all of it.
export const live = { aheadMs: null, readShare: null };

let recording = new Recording();
bind();

// The arrays of a recording are others once it has grown.
function bind() {
  ({ count, knownFrom, untilMs, states, eventTypes, kinds, statuses, nodes, nodeById } = recording);
  ({ restarts, typeCounts, seqs, times, drawnTimes, nodeOf, totals, mostNodes } = recording);
  ({ texts, entryData, eventData, entries, networks, tokenLabels } = recording);
}

// Show another recording.
export function use(another) {
  recording = another;
  session++;
  bind();
}

// Add what happened after what is shown; what begins with its own base is shown instead.
export function append(chunk) {
  if (chunk.states) use(new Recording());
  recording.append(chunk);
  bind();
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

// When the history ends, if not with its last event: now, of a live source.
function nowMs() {
  return live.aheadMs === null ? untilMs : Date.now() + live.aheadMs;
}

// Where the scale of time ends: a clock may have been put back, before the last event or since.
export function endMs() {
  return Math.max(drawnTimes[count], nowMs() || -Infinity);
}

// When a position is: at the end it is when the history ends.
export function timeAt(position) {
  return (position === count && nowMs()) || times[position];
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
