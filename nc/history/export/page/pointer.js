// The picture under a mouse or fingers: it tells what is there, chooses, zooms and pans.

import { chosen } from "./chosen.js";
import { element, line } from "./dom.js";
import { shownName, timeText, zoneName } from "./format.js";
import { nameAt, restarts, seqs, states, statusAt, times, totals } from "./model.js";
import { go } from "./moment.js";
import { chooseNode } from "./nodes.js";
import {
  drawWindow,
  drawn,
  fractionOf,
  isZoomed,
  pan,
  placeOf,
  positionAt,
  zoom,
} from "./scale.js";
import { timeline } from "./timeline.js";

const NEAR = 5; // px from a mark
const DRAGGED = 4; // px that are no click

function pointed(event) {
  const { left } = timeline.picture.getBoundingClientRect();
  const x = event.clientX - left;
  const y = event.clientY - timeline.box.getBoundingClientRect().top;
  const node = event.target === timeline.bars ? timeline.nodeAt(y) : null;
  const isName = x < timeline.gutter - 6;
  const fraction = timeline.fractionAt(x);
  return { node, isName, x, fraction, position: positionAt(fraction) };
}

function tipLines({ node, isName, x, position }) {
  if (isName) return node ? [nameAt(node, position), node.id] : [];
  const when = `${timeText(times[position])} ${zoneName()}, event ${seqs[position]}`;
  const lines = [position ? when : "the beginning"];
  if (node) {
    const status = statusAt(node, position);
    const how = status ? `${states[status.state]} ${status.address}` : "not registered";
    return [`${shownName(nameAt(node, position))}: ${how}`, ...lines];
  }
  lines.unshift(states.map((state, i) => `${totals[i][position]} ${state}`).join(", "));
  const mark = restarts.find((each) => Math.abs(timeline.x(fractionOf(each.position)) - x) < NEAR);
  if (mark) lines.push(`the server started${mark.crashed ? " after a crash" : ""}`);
  return lines;
}

function showTip(event) {
  const tip = element("tip");
  const lines = tipLines(pointed(event));
  tip.hidden = lines.length === 0;
  tip.replaceChildren(...lines.map((text) => line("p", text)));
  const { width, height } = tip.getBoundingClientRect();
  const below = event.clientY + 18 + height < innerHeight;
  const x = Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8));
  tip.style.transform = `translate(${x}px, ${event.clientY + (below ? 18 : -height - 12)}px)`;
}

// ---- Dragging moves the window; two fingers change its width too

const down = new Map(); // where each pointer was pressed, and is, px
const drag = { from: 0, to: 1, isMoved: false };

function beginDrag(event) {
  if (event.button !== 0) return;
  down.set(event.pointerId, { start: event.clientX, now: event.clientX });
  Object.assign(drag, { from: drawn.from, to: drawn.to, isMoved: false });
  for (const each of down.values()) each.start = each.now;
}

function dragOn(event) {
  const finger = down.get(event.pointerId);
  if (!finger) return showTip(event);
  finger.now = event.clientX;
  const fingers = [...down.values()];
  const width = drag.to - drag.from;
  const perPx = width / timeline.plotWidth;
  const moved = fingers.reduce((all, each) => all + each.now - each.start, 0) / fingers.length;
  if (Math.abs(moved) > DRAGGED || fingers.length > 1) drag.isMoved = true;
  if (!drag.isMoved) return;
  element("tip").hidden = true;
  if (fingers.length === 2) pinch(fingers, width, perPx);
  else if (isZoomed()) drawWindow(drag.from - moved * perPx, drag.to - moved * perPx);
}

function pinch([one, other], width, perPx) {
  const { left } = timeline.picture.getBoundingClientRect();
  const apart = Math.max(10, Math.abs(one.start - other.start));
  const factor = Math.max(10, Math.abs(one.now - other.now)) / apart;
  const about = drag.from + ((one.start + other.start) / 2 - left - timeline.gutter) * perPx;
  const from = about - (about - drag.from) / factor;
  drawWindow(from, from + width / factor);
}

timeline.picture.addEventListener("pointerdown", beginDrag);
timeline.picture.addEventListener("pointermove", dragOn);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, (event) => down.delete(event.pointerId));
}
timeline.picture.addEventListener("pointerleave", () => (element("tip").hidden = true));

timeline.picture.addEventListener("click", (event) => {
  if (drag.isMoved) return;
  if (event.target !== timeline.bars && event.target !== timeline.overview) return;
  const { node, isName, position } = pointed(event);
  const isAgain = node === chosen.node;
  if (node && isName) chooseNode(isAgain ? null : node);
  else if (node && !isAgain) chooseNode(node);
  if (!isName) go(position);
});

// ---- The wheel zooms over the overview, and over the bars with Ctrl; Shift pans

timeline.picture.addEventListener(
  "wheel",
  (event) => {
    const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const isOverBars = timeline.box.contains(event.target);
    if (isOverBars && !event.ctrlKey && !isSideways) return;
    event.preventDefault();
    if (isSideways) pan((event.deltaX || event.deltaY) / 1000);
    else zoom(Math.exp(-event.deltaY / 400), pointed(event).fraction);
  },
  { passive: false },
);
timeline.picture.addEventListener("dblclick", () => drawWindow(0, 1));

function about() {
  const fraction = placeOf(chosen.position);
  return fraction < drawn.from || fraction > drawn.to ? (drawn.from + drawn.to) / 2 : fraction;
}

export function zoomIn() {
  zoom(2, about());
}

export function zoomOut() {
  zoom(0.5, about());
}

export function zoomAll() {
  drawWindow(0, 1);
}

element("zoom-in").addEventListener("click", zoomIn);
element("zoom-out").addEventListener("click", zoomOut);
element("zoom-all").addEventListener("click", zoomAll);

// The thumb under the slider: a press elsewhere on its bar brings it there.
element("window").addEventListener("pointerdown", (event) => {
  const bar = element("window");
  const { left, width } = bar.getBoundingClientRect();
  const move = ({ clientX }) => {
    const half = (drawn.to - drawn.from) / 2;
    const middle = (clientX - left) / width;
    drawWindow(middle - half, middle + half);
  };
  move(event);
  bar.setPointerCapture(event.pointerId);
  bar.onpointermove = move;
  bar.onpointerup = () => (bar.onpointermove = null);
});
