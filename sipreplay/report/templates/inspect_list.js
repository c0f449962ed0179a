// A list of any length: only the rows in sight are in the document. Sorts by columns, moves by keys.
// Everything is set as text, never as markup.

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// columns: [{key, name, class, value: (item) => sortable, cell: (item) => string or nodes}]
class VirtualList {
  constructor(host, columns, { rowHeight, template, onOpen, label }) {
    Object.assign(this, { host, columns, rowHeight, onOpen, items: [], cursor: -1, sortKey: null, up: true });
    host.style.setProperty("--columns", template);
    this.head = element("div", { class: "row head", role: "row" }, ...columns.map((column) => element("button", {
      class: `cell ${column.class || ""}`, role: "columnheader", type: "button", title: `sort by ${column.title || column.name}`,
      onclick: () => this.sortBy(column.key, this.sortKey === column.key ? !this.up : true),
    }, column.name)));
    this.body = element("div", { class: "rows", role: "rowgroup" });
    this.scroller = element("div", { class: "scroller", role: "table", tabindex: "0", "aria-label": label }, this.head, this.body);
    this.empty = element("p", { class: "muted empty", hidden: true });
    host.replaceChildren(this.scroller, this.empty);
    this.scroller.addEventListener("scroll", () => this.draw());
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw(true)).observe(this.scroller);
    this.shown = [-1, -1];
  }

  show(items, emptyText) {
    this.all = items;
    this.items = items;
    this.cursor = -1;
    this.empty.textContent = emptyText;
    this.empty.hidden = items.length > 0;
    this.scroller.hidden = items.length === 0;
    this.scroller.setAttribute("aria-rowcount", items.length);
    this.order();
    this.scroller.scrollTop = 0;
    this.draw(true);
  }

  sortBy(key, up) {
    this.sortKey = key;
    this.up = up;
    this.order();
    this.draw(true);
    if (this.onSort) this.onSort(key, up);
  }

  order() {
    this.columns.forEach((column, index) => {
      const mark = column.key === this.sortKey ? (this.up ? "ascending" : "descending") : null;
      if (mark) this.head.children[index].setAttribute("aria-sort", mark);
      else this.head.children[index].removeAttribute("aria-sort");
    });
    const column = this.columns.find((one) => one.key === this.sortKey);
    if (!column) return;
    const way = this.up ? 1 : -1;
    const keyed = this.all.map((item, index) => [column.value(item), index, item]);
    const missing = (value) => value === null || value === undefined || value === "";
    keyed.sort(([a, i], [b, j]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b) || i - j;
      return (a < b ? -1 : a > b ? 1 : 0) * way || i - j;
    });
    this.items = keyed.map(([, , item]) => item);
  }

  draw(again = false) {
    const height = this.rowHeight();
    const first = Math.max(Math.floor(this.scroller.scrollTop / height) - 8, 0);
    const last = Math.min(first + Math.ceil(this.scroller.clientHeight / height) + 18, this.items.length);
    if (!again && first === this.shown[0] && last === this.shown[1]) return;
    this.shown = [first, last];
    this.body.style.height = `${this.items.length * height}px`;
    const rows = [];
    for (let index = first; index < last; index++) rows.push(this.row(this.items[index], index, height));
    this.body.replaceChildren(...rows);
  }

  row(item, index, height) {
    const cells = this.columns.map((column) => {
      const content = column.cell(item);
      return element("div", { class: `cell ${column.class || ""}`, role: "cell" }, ...(Array.isArray(content) ? content : [content]));
    });
    const node = element("div", {
      class: `row${index === this.cursor ? " cursor" : ""}`, role: "row", "aria-rowindex": index + 1,
      onclick: () => { this.cursor = index; this.onOpen(item); },
    }, ...cells);
    node.style.top = `${index * height}px`;
    node.style.height = `${height}px`;
    return node;
  }

  key(event) {
    const page = Math.max(Math.floor(this.scroller.clientHeight / this.rowHeight()) - 1, 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      this.cursor = Math.min(Math.max(this.cursor + steps[event.key], 0), this.items.length - 1);
      this.reveal();
    } else if (event.key === "Enter" && this.items[this.cursor]) {
      this.onOpen(this.items[this.cursor]);
    } else return;
    event.preventDefault();
  }

  reveal() {
    const height = this.rowHeight();
    const top = this.cursor * height;
    const room = this.scroller.clientHeight - this.head.offsetHeight;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + height > this.scroller.scrollTop + room) this.scroller.scrollTop = top + height - room;
    this.draw(true);
  }
}
