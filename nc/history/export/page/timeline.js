// The picture of all history: how many nodes were in each state, and a bar for each node.
//
// States differ in height and in lightness too, for those who cannot tell the colours apart. Only
// bars in sight are drawn, and nothing is drawn anew when the chosen moment changes: that is a line
// of its own above the picture.

const GUTTER = 236; // px for the nodes' names
const MARGIN = 22; // px on the right, where the scrollbar is
const OVERVIEW = 46; // px
const AXIS = 22; // px
const BARS = 0.225; // of the window's height, at most
const LOWEST_ROW = 15; // px
const HIGHEST_ROW = 28; // px

class Timeline {
  constructor() {
    this.picture = element("picture");
    this.box = element("bars");
    this.bars = element("timeline");
    this.overview = element("overview");
    this.line = element("line");
    this.byTime = false;
    this.chosen = null;
    this.box.addEventListener("scroll", () => this.drawBars());
    new ResizeObserver(() => this.resize()).observe(document.body);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.resize();
    const many = `How many of ${nodes.length} nodes were in each state over time`;
    this.overview.setAttribute("aria-label", many);
    this.bars.setAttribute("aria-label", "The states of each node over time, a bar a node");
  }

  resize() {
    this.width = this.picture.clientWidth;
    const room = Math.floor(innerHeight * BARS);
    const even = Math.floor(room / Math.max(1, nodes.length));
    this.rowHeight = Math.min(HIGHEST_ROW, Math.max(LOWEST_ROW, even));
    const bars = Math.min(room, Math.max(1, nodes.length) * this.rowHeight + 8);
    this.picture.style.height = `${OVERVIEW + AXIS + bars + 1}px`;
    element("bars-size").style.height = `${nodes.length * this.rowHeight}px`;
    this.draw();
    this.moveLine(this.fraction ?? 0);
  }

  get plotWidth() {
    return Math.max(1, this.width - GUTTER - MARGIN);
  }

  // Where a fraction of the scale is, and back, in px of the picture.
  x(fraction) {
    return GUTTER + fraction * this.plotWidth;
  }

  fractionAt(x) {
    return Math.min(1, Math.max(0, (x - GUTTER) / this.plotWidth));
  }

  nodeAt(y) {
    return nodes[Math.floor((y + this.box.scrollTop) / this.rowHeight)] ?? null;
  }

  moveLine(fraction) {
    this.fraction = fraction;
    this.line.style.transform = `translateX(${Math.round(this.x(fraction))}px)`;
  }

  choose(node) {
    if (node === this.chosen) return;
    this.chosen = node;
    if (node) {
      const top = node.place * this.rowHeight;
      const { scrollTop, clientHeight } = this.box;
      if (top < scrollTop || top + this.rowHeight > scrollTop + clientHeight) {
        this.box.scrollTop = top - (clientHeight - this.rowHeight) / 2;
      }
    }
    this.drawBars();
  }

  draw() {
    if (!this.width) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.ink = colour("--ink");
    this.faint = colour("--faint");
    this.rule = colour("--rule");
    this.accent = colour("--accent");
    this.wash = colour("--wash");
    this.gone = colour("--gone");
    this.colours = data.states.map((state) => colour(`--${state.toLowerCase()}`));
    this.drawOverview();
    this.drawBars();
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
    const most = totals[0].reduce((top, _, p) => Math.max(top, this.sum(p)), 1);
    const order = ["CONNECTED", "INIT", "IDLE"].map((name) => data.states.indexOf(name));
    for (let x = 0; x < this.plotWidth; x++) {
      const position = positionAt((x + 0.5) / this.plotWidth, this.byTime);
      let bottom = OVERVIEW;
      for (const state of order) {
        const height = (totals[state][position] / most) * (OVERVIEW - 8);
        pen.fillStyle = this.colours[state];
        pen.fillRect(GUTTER + x, bottom - height, 1, height);
        bottom -= height;
      }
    }
    pen.fillStyle = this.rule;
    pen.fillRect(GUTTER, OVERVIEW, this.plotWidth, 1);
    pen.fillStyle = this.faint;
    pen.textAlign = "right";
    if (nodes.length) pen.fillText(numberText(most), GUTTER - 6, 10);
    for (const { fraction, text } of ticks(this.byTime, this.plotWidth)) {
      const x = Math.round(this.x(fraction));
      pen.fillRect(x, OVERVIEW, 1, 4);
      const width = pen.measureText(text).width;
      pen.textAlign = "left";
      pen.fillText(text, Math.min(x - width / 2, this.width - width - 2), OVERVIEW + 13);
    }
  }

  sum(position) {
    return totals.reduce((all, total) => all + total[position], 0);
  }

  drawBars() {
    if (!this.colours) return;
    const height = this.box.clientHeight;
    const pen = this.paper(this.bars, height);
    const top = this.box.scrollTop;
    const first = Math.floor(top / this.rowHeight);
    const last = Math.min(nodes.length, Math.ceil((top + height) / this.rowHeight));
    for (let place = first; place < last; place++) {
      this.drawBar(pen, nodes[place], place * this.rowHeight - top);
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
    pen.fillStyle = isChosen ? this.ink : this.faint;
    pen.textAlign = "left";
    pen.fillText(shortened(node.id, 29), 12, middle + 0.5);
    const segments = node.at.length;
    for (const isInstant of [false, true]) {
      for (let i = 0; i < segments; i++) {
        const start = this.x(fractionOf(node.at[i], this.byTime));
        const end = this.x(i + 1 < segments ? fractionOf(node.at[i + 1], this.byTime) : 1);
        if (end - start < 1 !== isInstant) continue;
        this.drawSegment(pen, node.status[i], start, Math.max(1, end - start), middle);
      }
    }
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
    const height = data.states[state] === "IDLE" ? Math.max(3, Math.round(full / 3)) : full;
    pen.fillStyle = this.colours[state];
    pen.fillRect(start, middle - height / 2, width, height);
  }
}

const timeline = new Timeline();

function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

const TIME_STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5,
  36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 12096e5, 2592e6, 7776e6, 31536e6,
  157680e6,
];

// Where the scale has marks, and what they say: about one each 110 px.
function ticks(byTime, width) {
  const wanted = Math.max(2, width / 110);
  const found = [];
  if (byTime && duration > 0) {
    const step = TIME_STEPS.find((each) => duration / each <= wanted) ?? duration;
    for (let t = Math.ceil(times[0] / step) * step; t <= times[0] + duration; t += step) {
      found.push({ fraction: (t - drawnTimes[0]) / duration, text: tickText(t, step) });
    }
  } else if (count) {
    const raw = Math.max(1, count / wanted);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10);
    for (let position = 0; position <= count; position += step) {
      found.push({ fraction: position / count, text: numberText(seqs[position]) });
    }
  }
  return found;
}

function tickText(ms, step) {
  const text = timeText(ms);
  if (step >= 864e5) return text.slice(0, 10);
  if (step >= 6e4) return duration > 864e5 ? text.slice(5, 16) : text.slice(11, 16);
  return step >= 1e3 ? text.slice(11, 19) : text.slice(11);
}
