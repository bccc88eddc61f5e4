// Where moments are drawn: by event or by time, and which part of all of it.
//
// A fraction from 0 to 1 is a place in the whole; the window is the part that is drawn.

import { chosen, tell } from "./chosen.js";
import { numberText, timeText } from "./format.js";
import { count, drawnTimes, endMs, lastAtMost, seqs } from "./model.js";

export const drawn = { from: 0, to: 1 };

const FEWEST = 8; // events in the smallest window by event
const SHORTEST_MS = 20;

// Where the scale of times ends. It stays while something is drawn; `moveOn` moves it.
let lastMs = 0;
let lastCount = 0;

export function duration() {
  return count ? Math.max(lastMs, drawnTimes[count]) - drawnTimes[0] : 0;
}

// Events were added, or time has passed: what is drawn stays what it is, and goes on if it ends with
// the end.
export function moveOn() {
  const [time, events] = [duration(), lastCount];
  [lastMs, lastCount] = [endMs(), count];
  if (!isZoomed()) return;
  const before = chosen.byTime ? time : events;
  const ratio = before ? before / (chosen.byTime ? duration() : count) : 1;
  const width = Math.max(narrowest(), (drawn.to - drawn.from) * ratio);
  drawn.to = drawn.to === 1 ? 1 : Math.min(1, drawn.to * ratio);
  drawn.from = Math.max(0, drawn.to - width);
}

// Another history: all of it is drawn.
export function drawAll() {
  [drawn.from, drawn.to] = [0, 1];
  [lastMs, lastCount] = [endMs(), count];
}

export function fractionOf(position) {
  if (chosen.byTime && duration() > 0) return (drawnTimes[position] - drawnTimes[0]) / duration();
  return count ? position / count : 0;
}

// Where a moment is: the last one lasts until the end.
export function placeOf(position) {
  return position === count && count ? 1 : fractionOf(position);
}

export function positionAt(fraction) {
  if (chosen.byTime && duration() > 0) {
    if (fraction <= 0) return 0;
    const time = drawnTimes[0] + fraction * duration() + 1e-6;
    return lastAtMost(drawnTimes, time, count + 1);
  }
  return Math.round(Math.min(1, Math.max(0, fraction)) * count);
}

export function isZoomed() {
  return drawn.to - drawn.from < 1;
}

function narrowest() {
  if (chosen.byTime && duration() > 0) return Math.min(1, SHORTEST_MS / duration());
  return Math.min(1, FEWEST / Math.max(1, count));
}

// Draw this part, moved into the whole if it sticks out.
export function drawWindow(from, to) {
  const width = Math.min(1, Math.max(narrowest(), to - from));
  drawn.from = Math.min(1 - width, Math.max(0, from));
  drawn.to = width === 1 ? 1 : drawn.from + width;
  tell("window");
}

// Make the window so many times smaller, about a fraction that stays where it is.
export function zoom(factor, about) {
  const width = Math.min(1, Math.max(narrowest(), (drawn.to - drawn.from) / factor));
  const share = (about - drawn.from) / (drawn.to - drawn.from);
  drawWindow(about - share * width, about + (1 - share) * width);
}

// Move the window so many times its width.
export function pan(widths) {
  const step = widths * (drawn.to - drawn.from);
  drawWindow(drawn.from + step, drawn.to + step);
}

// Move the window only if a fraction is not in it.
export function bringIntoWindow(fraction) {
  if (fraction >= drawn.from && fraction <= drawn.to) return;
  const half = (drawn.to - drawn.from) / 2;
  drawWindow(fraction - half, fraction + half);
}

const TIME_STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5,
  36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 12096e5, 2592e6, 7776e6, 31536e6,
  157680e6,
];

// Where the window has marks, and what they say: about one each 110 px.
export function ticks(width) {
  const wanted = Math.max(2, width / 110);
  const share = drawn.to - drawn.from;
  return chosen.byTime && duration() > 0 ? timeTicks(wanted, share) : eventTicks(wanted, share);
}

function timeTicks(wanted, share) {
  const [start, whole] = [drawnTimes[0], duration()];
  const shown = whole * share;
  const step = TIME_STEPS.find((each) => shown / each <= wanted) ?? shown;
  const found = [];
  const end = start + drawn.to * whole;
  for (let t = Math.ceil((start + drawn.from * whole) / step) * step; t <= end; t += step) {
    found.push({ fraction: (t - start) / whole, text: tickText(t, step, shown) });
  }
  return found;
}

function eventTicks(wanted, share) {
  if (!count) return [];
  const raw = Math.max(1, (count * share) / wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10);
  const found = [];
  for (let p = Math.ceil((drawn.from * count) / step) * step; p <= drawn.to * count; p += step) {
    found.push({ fraction: p / count, text: numberText(seqs[p]) });
  }
  return found;
}

function tickText(ms, step, shown) {
  const text = timeText(ms);
  if (step >= 864e5) return text.slice(0, 10);
  if (step >= 6e4) return shown > 864e5 ? text.slice(5, 16) : text.slice(11, 16);
  return step >= 1e3 ? text.slice(11, 19) : text.slice(11);
}
