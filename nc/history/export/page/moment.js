// The chosen moment: the slider, the buttons and the player that choose it, and its caption.

import { chosen, on, tell } from "./chosen.js";
import { element, setText } from "./dom.js";
import { countText, numberText, timeText, zoneName } from "./format.js";
import { count, knownFrom, live, networkAt, nodes, seqs, timeAt, times } from "./model.js";
import { bringIntoWindow, drawn, moveOn, placeOf, positionAt } from "./scale.js";

const slider = element("slider");

// Show a moment; `drawnAt` is its place if that is more exact, as while it plays.
export function show(position, drawnAt = null) {
  chosen.position = Math.min(count, Math.max(knownFrom, position));
  chosen.isAtEnd = chosen.position === count;
  const fraction = drawnAt ?? placeOf(chosen.position);
  bringIntoWindow(fraction);
  slider.value = fraction;
  showMoment();
  tell("moment", fraction);
}

// Wherever somebody goes by hand, the film stops.
export function go(position) {
  if (playing.frame) pause();
  show(position);
}

export function chooseScale(byTime) {
  chosen.byTime = byTime;
  for (const each of document.getElementsByName("scale")) {
    each.checked = (each.value === "time") === byTime;
  }
  [drawn.from, drawn.to] = [0, 1];
  tell("window");
  show(chosen.position);
}

function showMoment() {
  const { position } = chosen;
  const time = position ? `${momentText(position)} ${zoneName()}` : "the beginning";
  let where = `after event ${numberText(seqs[position])} of ${numberText(seqs[count])}`;
  if (!position) where = count ? `before event ${numberText(seqs[1])}` : "an empty log";
  setText(element("moment-time"), time);
  setText(element("moment-event"), where);
  slider.setAttribute("aria-valuetext", `${where}, ${time}`);
  const isMoving = playing.frame !== 0 || (chosen.isAtEnd && live.aheadMs !== null);
  element("moment").setAttribute("aria-live", isMoving ? "off" : "polite"); // no reader keeps up
  const network = networkAt(position);
  setText(element("title"), network ? `Network ${network}` : "Network controller");
}

// When a moment is: at the end of a live source it is now.
function momentText(position) {
  const isNow = position === count && live.aheadMs !== null;
  return isNow ? timeText(timeAt(position)).slice(0, 19) : timeText(times[position]);
}

function showFacts() {
  const parts = [count === 1 ? `event ${numberText(seqs[1])}` : `${numberText(count)} events`];
  if (count > 1) parts[0] = `events ${numberText(seqs[1])} to ${numberText(seqs[count])}`;
  if (!count) parts[0] = "no events";
  parts.push(countText(nodes.length, "node"));
  if (count) {
    const [start, end] = [times[1], times[count]].map((ms) => timeText(ms).slice(0, 19));
    const isSameDay = start.slice(0, 10) === end.slice(0, 10);
    const until = start === end ? "" : ` – ${isSameDay ? end.slice(11) : end}`;
    parts.push(`${start}${until} ${zoneName()}`);
  }
  setText(element("facts"), parts.join("  ·  "));
}

// ---- Playing

const WHOLE_S = 40; // what playing everything takes at speed 1
const SLOWEST = 2; // events a second at speed 1: a short log is not to drag
const playing = { frame: 0, before: 0, fraction: 0 };

function play() {
  if (chosen.position === count) show(0);
  playing.fraction = placeOf(chosen.position);
  playing.before = performance.now();
  playing.frame = requestAnimationFrame(playOn);
  showPlaying();
}

function pause() {
  cancelAnimationFrame(playing.frame);
  playing.frame = 0;
  showPlaying();
}

function playOn(now) {
  const seconds = Math.max(0, now - playing.before) / 1000;
  const rate = Math.max(1 / WHOLE_S, chosen.byTime ? 0 : SLOWEST / Math.max(1, count));
  playing.before = now;
  const played = seconds * rate * Number(element("speed").value);
  playing.fraction = Math.min(1, playing.fraction + played);
  const exact = playing.fraction * count;
  const position = chosen.byTime ? positionAt(playing.fraction) : Math.floor(exact + 1e-9);
  if (position !== chosen.position) show(position, playing.fraction);
  else tell("line", (slider.value = playing.fraction));
  if (playing.fraction < 1) playing.frame = requestAnimationFrame(playOn);
  else pause();
}

function showPlaying() {
  const is = playing.frame !== 0;
  element("play").setAttribute("aria-pressed", is);
  element("play").setAttribute("aria-label", is ? "Pause" : "Play");
}

// ---- Controls

function fitSlider() {
  slider.min = drawn.from;
  slider.max = drawn.to;
  slider.value = placeOf(chosen.position);
}

slider.addEventListener("input", () => go(positionAt(Number(slider.value))));
element("first").addEventListener("click", () => go(0));
element("back").addEventListener("click", () => go(chosen.position - 1));
element("step").addEventListener("click", () => go(chosen.position + 1));
element("last").addEventListener("click", () => go(count));
element("play").addEventListener("click", () => (playing.frame ? pause() : play()));
for (const each of document.getElementsByName("scale")) {
  each.addEventListener("change", () => chooseScale(each.value === "time"));
}

on("window", fitSlider);
on("tick", () => {
  if (chosen.isAtEnd) showMoment();
  if (!chosen.byTime) return;
  moveOn();
  tell("window");
});
on("grown", () => {
  showFacts();
  const isEmpty = count === 0 && nodes.length === 0;
  document.body.classList.toggle("empty", isEmpty);
  element("nothing").hidden = !isEmpty;
});
on("look", () => {
  showFacts();
  showMoment();
});
