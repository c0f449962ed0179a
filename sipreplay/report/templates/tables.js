"use strict";
// Sorts a table by the clicked column, filters rows by the words typed above it, opens a ladder that is linked to.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, index) => {
    const cell = row.cells[index];
    const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
    const number = parseFloat(text);
    return text !== "" && !isNaN(number) && String(text).match(/^[-+\d.eE]+$/) ? number : text;
  };
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = Array.from(body.rows).map((row) => [value(row, head.cellIndex), row]);
    rows.sort(([a], [b]) => {
      if (typeof a === typeof b) return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
      return typeof a === "number" ? -1 : 1;
    });
    body.append(...rows.map(([, row]) => row));
  });
}
for (const input of document.querySelectorAll("input[type=search]")) {
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.getElementById(input.dataset.table).tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
const open = () => {
  const target = location.hash.startsWith("#call-") && document.getElementById(location.hash.slice(1));
  if (target) { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", open);
open();
