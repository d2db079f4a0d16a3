// The table of objects: sorted by any column, a page at a time.

import { h, number } from "../dom.js";

const PAGE_ROWS = 25;

/** Rows of a CSV that holds numbers only, as objects by column name. */
export function readTable(text) {
  const [head, ...lines] = text.trimEnd().split("\n");
  const columns = head.split(",");
  const rows = lines.map((line) => {
    const values = line.split(",");
    return Object.fromEntries(columns.map((name, i) => [name, values[i] === "" ? NaN : Number(values[i])]));
  });
  return { columns, rows };
}

export class ObjectTable {
  constructor({ columns, rows }, onChoose) {
    this.rows = rows;
    this.columns = columns.filter((name) => !name.startsWith("bbox_"));
    this.onChoose = onChoose;
    this.sorted = { name: columns[0], descending: false };
    this.page = 0;
    this.chosen = null;
    this.head = h("tr", {});
    this.body = h("tbody", {});
    this.where = h("span", { role: "status" });
    this.previous = h("button", { type: "button", class: "small", onclick: () => this.turn(-1) }, "Previous");
    this.next = h("button", { type: "button", class: "small", onclick: () => this.turn(1) }, "Next");
    this.pages = h("div", { class: "row pages" }, this.previous, this.where, this.next);
    this.scroller = h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": "Objects" },
      h("table", {}, h("caption", { class: "only-spoken" }, "Objects; a row's button shows the object in the image"),
        h("thead", {}, this.head), this.body));
    this.element = h("div", { class: "objects" }, this.scroller, this.pages);
    this.sort(columns[0], false);
  }

  sort(name, descending) {
    this.sorted = { name, descending };
    const sign = descending ? -1 : 1;
    this.rows.sort((a, b) => (Number.isNaN(a[name]) ? 1 : Number.isNaN(b[name]) ? -1 : sign * (a[name] - b[name])));
    this.page = 0;
    this.showHead();
    this.showRows();
  }

  turn(by) {
    this.page += by;
    this.showRows();
  }

  /** Mark an object, and show the page that it is on. */
  choose(row) {
    this.chosen = row;
    if (row) this.page = Math.floor(this.rows.indexOf(row) / PAGE_ROWS);
    this.showRows();
    const shown = this.body.querySelector(".chosen");
    if (shown) this.scroller.scrollTop = shown.offsetTop - this.scroller.clientHeight / 2;
  }

  showHead() {
    const hadFocus = this.head.contains(document.activeElement);
    this.head.replaceChildren(...this.columns.map((name) => {
      const isSorted = name === this.sorted.name;
      const { descending } = this.sorted;
      const button = h("button", { type: "button", onclick: () => this.sort(name, isSorted && !descending) },
        columnTitle(name), h("span", { "aria-hidden": "true" }, isSorted ? (descending ? " ↓" : " ↑") : ""));
      const order = isSorted ? (descending ? "descending" : "ascending") : "none";
      return h("th", { scope: "col", "aria-sort": order }, button);
    }));
    if (hadFocus) this.head.querySelector('[aria-sort$="ending"] button').focus();
  }

  showRows() {
    const pages = Math.max(1, Math.ceil(this.rows.length / PAGE_ROWS));
    const start = this.page * PAGE_ROWS;
    const seen = this.rows.slice(start, start + PAGE_ROWS);
    this.body.replaceChildren(...seen.map((row) => this.row(row)));
    this.previous.disabled = this.page === 0;
    this.next.disabled = this.page === pages - 1;
    this.where.textContent = `${start + 1}–${start + seen.length} of ${this.rows.length.toLocaleString("en")}`;
    this.pages.hidden = pages === 1;
  }

  row(row) {
    const show = () => {
      this.chosen = row;
      this.onChoose(row);
      for (const one of this.body.rows) one.classList.toggle("chosen", one === element);
    };
    const [first, ...others] = this.columns;
    const button = h("button", { type: "button", class: "small", "aria-label": `Show object ${row[first]}` }, number(row[first]));
    const element = h("tr", { class: row === this.chosen ? "chosen" : null, onclick: show },
      h("th", { scope: "row" }, button), others.map((name) => h("td", {}, number(row[name]))));
    return element;
  }
}

/** `major_axis_um` as "major axis (µm)". */
export function columnTitle(name) {
  const units = { px: "px", um: "µm", um2: "µm²", um3: "µm³" };
  const parts = name.split("_");
  const unit = units[parts[parts.length - 1]];
  return unit ? `${parts.slice(0, -1).join(" ")} (${unit})` : parts.join(" ");
}
