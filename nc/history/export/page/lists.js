// Long lists of which only the rows in sight exist, each as high as the others.

function heightOfRows(box) {
  return parseFloat(getComputedStyle(box).getPropertyValue("--row")) || 24;
}

export class LongList {
  // `create(row)` gives a new row its cells; `fill(row, index)` says what they show; `current()` is
  // the index of the row that stays in sight when the window changes, or -1.
  constructor(box, create, fill, current) {
    this.box = box;
    this.grid = box.parentElement;
    this.rowHeight = heightOfRows(box);
    this.create = create;
    this.fill = fill;
    this.length = 0;
    this.rows = [];
    this.height = box.clientHeight;
    this.top = 0;
    this.size = box.appendChild(document.createElement("div"));
    this.size.className = "size";
    box.addEventListener("scroll", () => {
      this.top = box.scrollTop;
      this.render();
    });
    new ResizeObserver(() => {
      this.height = box.clientHeight;
      this.setRowHeight(heightOfRows(box));
      const index = current();
      if (index >= 0) this.reveal(index);
      this.render();
    }).observe(box);
  }

  // The style says it: a narrow window has rows of two lines.
  setRowHeight(height) {
    if (height === this.rowHeight) return;
    this.rowHeight = height;
    this.size.style.height = `${this.length * height}px`;
    for (const row of this.rows) row.index = -1;
  }

  setLength(length) {
    if (length === this.length) return;
    this.length = length;
    this.size.style.height = `${length * this.rowHeight}px`;
    this.grid.setAttribute("aria-rowcount", length);
    if (this.top > this.highest) this.scrollTo(this.highest); // the browser would, a frame later
  }

  // How far down it can be scrolled, px.
  get highest() {
    return Math.max(0, this.length * this.rowHeight - this.height);
  }

  render() {
    const wanted = Math.min(this.length, Math.ceil(this.height / this.rowHeight) + 1);
    while (this.rows.length < wanted) this.rows.push(this.newRow());
    const first = Math.max(0, Math.floor(this.top / this.rowHeight));
    const last = Math.min(this.length, first + wanted);
    const used = this.rows.length;
    const filled = new Set();
    for (let index = first; index < last; index++) {
      const row = this.rows[index % used];
      filled.add(row);
      if (row.index !== index) {
        row.index = index;
        row.element.style.transform = `translateY(${index * this.rowHeight}px)`;
        row.element.setAttribute("aria-rowindex", index + 1);
      }
      row.element.hidden = false;
      this.fill(row, index);
    }
    for (const row of this.rows) if (!filled.has(row)) row.element.hidden = true;
  }

  newRow() {
    const element = document.createElement("div");
    element.className = "row";
    element.role = "row";
    element.id = `${this.box.id}-${this.rows.length}`;
    const row = { element, cells: {}, index: -1 };
    this.create(row);
    this.size.append(element);
    return row;
  }

  // Scroll no further than is needed to see a row, or, if it was out of sight, to its middle.
  reveal(index) {
    const top = index * this.rowHeight;
    const space = 1.5 * this.rowHeight; // a neighbour is in sight too
    if (top < this.top || top + this.rowHeight > this.top + this.height) {
      this.scrollTo(top - (this.height - this.rowHeight) / 2);
    } else if (top < this.top + space) this.scrollTo(top - space);
    else if (top + this.rowHeight + space > this.top + this.height) {
      this.scrollTo(top + this.rowHeight + space - this.height);
    }
  }

  scrollTo(top) {
    const whole = Math.round(top / this.rowHeight) * this.rowHeight; // no row cut in two
    this.top = Math.min(this.highest, Math.max(0, whole));
    this.box.scrollTop = this.top;
  }

  // For paper, which has no scrollbar: as high as so many rows, from this one on.
  unroll(first, rows) {
    this.box.style.flex = "none";
    this.box.style.height = `${Math.min(rows, this.length) * this.rowHeight}px`;
    this.height = this.box.clientHeight;
    this.scrollTo(first * this.rowHeight);
    this.render();
  }

  rollUp() {
    this.box.style.flex = this.box.style.height = "";
    this.height = this.box.clientHeight;
    this.top = this.box.scrollTop;
    this.render();
  }
}

export function addCell(row, name, role = "gridcell") {
  const cell = document.createElement("span");
  cell.className = name;
  cell.role = role;
  row.element.append(cell);
  row.cells[name] = cell;
  return cell;
}

// Up and down in a list: to its neighbours.
export function onArrows(list, move) {
  list.grid.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(step);
    const selected = list.box.querySelector("[aria-selected=true]:not([hidden])");
    list.grid.setAttribute("aria-activedescendant", selected ? selected.id : "");
  });
}
