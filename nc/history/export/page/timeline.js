// The picture of all history: how many nodes were in each state, and a bar for each node.
//
// States differ in height and in lightness too, for those who cannot tell the colours apart. Only
// bars in sight are drawn, in the order of the table, and nothing is drawn anew when the chosen
// moment changes unless the order does: the moment is a line of its own above the picture.

import { chosen, on } from "./chosen.js";
import { element } from "./dom.js";
import { numberText, shownName } from "./format.js";
import {
  knownFrom,
  lastAtMost,
  mostNodes,
  nameAt,
  nodes,
  restarts,
  states,
  statuses,
  totals,
} from "./model.js";
import { drawn, fractionOf, isZoomed, placeOf, positionAt, ticks } from "./scale.js";

const OVERVIEW = 46; // px
const AXIS = 22; // px
const BARS = 0.225; // of the window's height, at most
const LOWEST_ROW = 15; // px
const HIGHEST_ROW = 28; // px
const LAYERS = ["CONNECTED", "INIT", "IDLE"]; // from below

class Timeline {
  constructor() {
    this.picture = element("picture");
    this.box = element("bars");
    this.bars = element("timeline");
    this.overview = element("overview");
    this.line = element("line");
    this.order = [];
    this.chosen = null;
    this.box.addEventListener("scroll", () => this.drawBars());
    new ResizeObserver(() => this.resize()).observe(document.body);
    this.bars.setAttribute("aria-label", "The states of each node over time, a bar a node");
  }

  resize() {
    this.width = this.picture.clientWidth;
    this.gutter = parseFloat(getComputedStyle(this.picture).getPropertyValue("--gutter"));
    this.margin = parseFloat(getComputedStyle(this.picture).getPropertyValue("--margin"));
    this.fitHeight();
    this.draw();
    this.moveLine(this.fraction ?? 0);
  }

  fitHeight() {
    const room = Math.floor(innerHeight * BARS);
    const all = Math.max(1, this.order.length);
    const even = Math.floor(room / all);
    this.rowHeight = Math.min(HIGHEST_ROW, Math.max(LOWEST_ROW, even));
    const bars = Math.min(room, Math.max(1, nodes.length) * this.rowHeight + 8);
    this.picture.style.height = `${OVERVIEW + AXIS + (nodes.length ? bars : 0) + 1}px`;
    element("bars-size").style.height = `${all * this.rowHeight}px`;
  }

  setOrder(order) {
    const isSame = order.length === this.order.length && order.every((n, i) => n === this.order[i]);
    if (isSame) return;
    const isResized = order.length !== this.order.length;
    this.order = order;
    if (isResized) this.fitHeight();
    this.drawBars();
  }

  get plotWidth() {
    return Math.max(1, this.width - this.gutter - this.margin);
  }

  // Where a fraction of the whole is, and back, in px of the picture.
  x(fraction) {
    return this.gutter + ((fraction - drawn.from) / (drawn.to - drawn.from)) * this.plotWidth;
  }

  fractionAt(x) {
    const share = Math.min(1, Math.max(0, (x - this.gutter) / this.plotWidth));
    return drawn.from + share * (drawn.to - drawn.from);
  }

  nodeAt(y) {
    return this.order[Math.floor((y + this.box.scrollTop) / this.rowHeight)] ?? null;
  }

  moveLine(fraction) {
    this.fraction = fraction;
    const x = this.x(fraction);
    this.line.hidden = x < this.gutter - 1 || x > this.width - this.margin + 1;
    this.line.style.transform = `translateX(${Math.round(x)}px)`;
  }

  choose(node) {
    if (node === this.chosen) return;
    this.chosen = node;
    if (node) {
      const top = this.order.indexOf(node) * this.rowHeight;
      const { scrollTop, clientHeight } = this.box;
      if (top < scrollTop || top + this.rowHeight > scrollTop + clientHeight) {
        this.box.scrollTop = top - (clientHeight - this.rowHeight) / 2;
      }
    }
    this.drawBars();
  }

  draw() {
    if (!this.width) return;
    const colour = resolver();
    this.ink = colour("--ink");
    this.faint = colour("--faint");
    this.rule = colour("--rule");
    this.accent = colour("--accent");
    this.wash = colour("--wash");
    this.gone = colour("--gone");
    this.stopped = colour("--went");
    this.started = colour("--server");
    this.colours = states.map((state) => colour(`--${state.toLowerCase()}`));
    this.drawOverview();
    this.drawBars();
    this.drawThumb();
  }

  // A canvas of this size, empty, with a pixel for each of the screen's.
  paper(canvas, height) {
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(this.width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace";
    pen.textBaseline = "middle";
    return pen;
  }

  drawOverview() {
    const pen = this.paper(this.overview, OVERVIEW + AXIS);
    const order = LAYERS.map((name) => states.indexOf(name)).filter((place) => place >= 0);
    for (let x = 0; x < this.plotWidth; x++) {
      const position = positionAt(this.fractionAt(this.gutter + x + 0.5));
      let bottom = OVERVIEW;
      for (const state of order) {
        const height = (totals[state][position] / mostNodes) * (OVERVIEW - 8);
        pen.fillStyle = this.colours[state];
        pen.fillRect(this.gutter + x, bottom - height, 1, height);
        bottom -= height;
      }
    }
    pen.fillStyle = this.rule;
    pen.fillRect(this.gutter, OVERVIEW, this.plotWidth, 1);
    if (knownFrom) {
      pen.fillStyle = this.faint;
      pen.textAlign = "left";
      pen.fillText("The past is being read …", this.gutter + 8, OVERVIEW / 2);
    }
    this.drawRestarts(pen);
    this.drawAxis(pen);
    const many = `How many of ${nodes.length} nodes were in each state over time`;
    this.overview.setAttribute("aria-label", many);
  }

  drawAxis(pen) {
    pen.fillStyle = this.faint;
    pen.textAlign = "right";
    if (nodes.length) pen.fillText(numberText(mostNodes), this.gutter - 6, 10);
    for (const { fraction, text } of ticks(this.plotWidth)) {
      const x = Math.round(this.x(fraction));
      pen.fillRect(x, OVERVIEW, 1, 4);
      const width = pen.measureText(text).width;
      pen.textAlign = "left";
      const left = Math.max(this.gutter - 4, Math.min(x - width / 2, this.width - width - 2));
      pen.fillText(text, left, OVERVIEW + 13);
    }
  }

  // A mark for each start of the server; one after a crash is drawn through.
  drawRestarts(pen) {
    let before = -1;
    for (const { position, crashed } of restarts) {
      const x = Math.round(this.x(fractionOf(position)));
      if (x === before || x < this.gutter || x > this.width - this.margin) continue;
      before = x;
      pen.fillStyle = crashed ? this.stopped : this.started;
      if (crashed) pen.fillRect(x, 6, 1, OVERVIEW - 6);
      pen.beginPath();
      pen.moveTo(x - 4, 0);
      pen.lineTo(x + 5, 0);
      pen.lineTo(x + 0.5, 6);
      pen.fill();
    }
  }

  drawBars() {
    if (!this.colours) return;
    const height = this.box.clientHeight;
    const pen = this.paper(this.bars, height);
    const top = this.box.scrollTop;
    const first = Math.floor(top / this.rowHeight);
    const last = Math.min(this.order.length, Math.ceil((top + height) / this.rowHeight));
    for (let place = first; place < last; place++) {
      this.drawBar(pen, this.order[place], place * this.rowHeight - top);
    }
  }

  drawBar(pen, node, y) {
    const middle = y + this.rowHeight / 2;
    const isChosen = node === this.chosen;
    if (isChosen) {
      pen.fillStyle = this.wash;
      pen.fillRect(0, y, this.width, this.rowHeight);
      pen.fillStyle = this.accent;
      pen.fillRect(0, y, 3, this.rowHeight);
    }
    this.drawName(pen, node, middle, isChosen);
    const from = Math.max(0, lastAtMost(node.at, positionAt(drawn.from)));
    const edge = this.width - this.margin;
    for (const isInstant of [false, true]) {
      for (let i = from; i < node.at.length; i++) {
        const start = Math.max(this.gutter, this.x(fractionOf(node.at[i])));
        if (start > edge) break;
        const next = i + 1 < node.at.length ? this.x(fractionOf(node.at[i + 1])) : this.x(1);
        const end = Math.min(edge, next);
        if (end < this.gutter || end - start < 1 !== isInstant) continue;
        this.drawSegment(pen, node.status[i], start, Math.max(1, end - start), middle);
      }
    }
  }

  drawName(pen, node, middle, isChosen) {
    pen.fillStyle = isChosen ? this.ink : this.faint;
    pen.textAlign = "left";
    const room = Math.floor((this.gutter - 18) / 6.7);
    const name = shownName(nameAt(node, chosen.position));
    pen.fillText(name.length > room ? `${name.slice(0, room - 1)}…` : name, 12, middle + 0.5);
  }

  drawSegment(pen, status, start, width, middle) {
    if (!status) {
      pen.fillStyle = this.gone;
      for (let x = start; x < start + width; x += 6) {
        pen.fillRect(x, middle - 0.5, Math.min(2, start + width - x), 1);
      }
      return;
    }
    const { state } = statuses[status - 1];
    const full = Math.min(14, this.rowHeight - 5);
    const height = states[state] === "IDLE" ? Math.max(3, Math.round(full / 3)) : full;
    pen.fillStyle = this.colours[state];
    pen.fillRect(start, middle - height / 2, width, height);
  }

  // Which part of the whole is drawn, under the slider.
  drawThumb() {
    element("window").hidden = !isZoomed();
    const thumb = element("window-thumb");
    thumb.style.left = `${drawn.from * 100}%`;
    thumb.style.width = `${(drawn.to - drawn.from) * 100}%`;
  }
}

// What a custom property comes to, as a colour that a canvas takes.
function resolver() {
  const probe = element("probe");
  return (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
}

export const timeline = new Timeline();

let drawing = 0;

// At most once a frame: events may come by the hundred.
function drawSoon() {
  if (drawing) return;
  drawing = requestAnimationFrame(() => {
    drawing = 0;
    timeline.draw();
  });
}

on("moment", (fraction) => timeline.moveLine(fraction));
on("line", (fraction) => timeline.moveLine(fraction));
on("node", () => timeline.choose(chosen.node));
on("order", (order) => timeline.setOrder(order));
on("window", () => {
  timeline.moveLine(placeOf(chosen.position));
  drawSoon();
});
on("grown", () => {
  timeline.fitHeight();
  drawSoon();
});
on("look", drawSoon);
