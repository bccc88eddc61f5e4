// A sortable, searchable list of things that the console asks for.

import { element, line, setText, showAbsence } from "./dom.js";
import { countText, numberText } from "./format.js";
import { addCell, LongList, onArrows } from "./lists.js";

export class Table {
  // Within `#name`: `#name-columns`, `#name-rows`, `#no-name`, and, if they are there,
  // `#name-filter` and `#name-title`. A column is { title, width, text, key, mono, tone }.
  constructor(name, columns, { absence, one, many, onClick = null }) {
    Object.assign(this, { name, columns, absence, one, many, onClick });
    [this.all, this.shown, this.column, this.descending] = [[], [], columns[0], false];
    this.chosen = null;
    this.list = new LongList(
      element(`${name}-rows`),
      (row) => this.create(row),
      (row, index) => this.fill(row, index),
      () => this.shown.indexOf(this.chosen),
    );
    this.widths = columns.map(({ width }) => width).join(" ");
    this.addTitles();
    element(`${name}-filter`)?.addEventListener("input", () => this.show());
    onArrows(this.list, (step) => {
      const index = this.shown.indexOf(this.chosen);
      const next = this.shown[index < 0 ? 0 : index + step];
      if (next) this.choose(next);
    });
  }

  addTitles() {
    const head = element(`${this.name}-columns`);
    head.style.gridTemplateColumns = this.widths;
    for (const column of this.columns) {
      const title = line("button", column.title);
      title.type = "button";
      const cell = head.appendChild(document.createElement("span"));
      cell.role = "columnheader";
      cell.append(title);
      column.head = cell;
      title.addEventListener("click", () => {
        this.descending = this.column === column && !this.descending;
        this.column = column;
        this.show();
      });
    }
  }

  create(row) {
    row.element.style.gridTemplateColumns = this.widths;
    this.columns.forEach(({ mono }, place) => {
      addCell(row, `c${place}`).className = mono ? "mono" : "";
    });
    if (!this.onClick) row.element.classList.add("still");
    row.element.addEventListener("click", () => this.choose(this.shown[row.index]));
  }

  choose(item) {
    this.chosen = item;
    this.list.reveal(this.shown.indexOf(item));
    this.list.render();
    this.onClick?.(item);
  }

  fill(row, index) {
    const item = this.shown[index];
    this.columns.forEach((column, place) => {
      const cell = row.cells[`c${place}`];
      const text = column.text(item);
      setText(cell, text);
      cell.title = text;
      const tone = column.tone?.(item) ?? "";
      cell.className = [column.mono ? "mono" : "", tone].filter(Boolean).join(" ");
    });
    row.element.setAttribute("aria-selected", item === this.chosen);
  }

  set(items) {
    this.all = items;
    this.show();
  }

  show() {
    const wanted = element(`${this.name}-filter`)?.value.trim().toLowerCase() ?? "";
    const texts = (item) =>
      this.columns
        .map(({ text }) => text(item))
        .join(" ")
        .toLowerCase();
    this.shown = wanted ? this.all.filter((item) => texts(item).includes(wanted)) : [...this.all];
    const key = this.column.key ?? this.column.text;
    const sign = this.descending ? -1 : 1;
    const keys = new Map(this.shown.map((item) => [item, key(item)]));
    this.shown.sort((a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      return sign * ((one > other) - (one < other));
    });
    for (const column of this.columns) {
      const direction = this.descending ? "descending" : "ascending";
      column.head.setAttribute("aria-sort", column === this.column ? direction : "none");
    }
    this.showTitle();
    this.list.setLength(this.shown.length);
    this.list.render();
    const fits = this.all.length ? "Nothing fits the search." : this.absence;
    showAbsence(`no-${this.name}`, this.shown.length, fits);
  }

  showTitle() {
    const title = element(`${this.name}-title`);
    if (!title) return;
    const part = this.shown.length < this.all.length ? `${numberText(this.shown.length)} of ` : "";
    setText(title, `${part}${countText(this.all.length, this.one, this.many)}`);
  }
}
