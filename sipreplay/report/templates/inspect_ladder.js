// Draws a ladder as SVG: lifelines, messages as arrows, RTP as bars, long pauses. Says which row was clicked.

const SVG = "http://www.w3.org/2000/svg";
const LADDER = { left: 222, top: 64, row: 42, media: 40, gap: 22, pause: 5 };

function drawn(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const clipped = (text, room) => (text.length <= room ? text : text.slice(0, Math.max(room - 1, 1)) + "…");

function clockText(seconds) {
  return new Date(seconds * 1000).toISOString().slice(11, 23);
}

function dayText(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

function durationText(seconds) {
  if (!Number.isFinite(seconds)) return "-";
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${two(whole % 60)} s` : `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

// rows: objects; onPick(index): a row was chosen. Returns {svg, mark(indices)}.
function drawLadder(ladder, rows, { narrow, captures, onPick }) {
  const many = ladder.columns.length;
  const left = narrow ? 92 : LADDER.left;
  const longest = Math.max(8, ...ladder.columns.map((column) => column[0].length));
  const spacing = narrow ? 150 : Math.max(168, Math.min(Math.max(longest * 7.4 + 18, many <= 3 ? 280 : 190), 330));
  const margin = Math.max(...ladder.columns.map((column) => headWidth(column, spacing))) / 2 + 2;
  const at = ladder.columns.map((_, index) => left + margin + index * spacing);
  const right = at[many - 1] + margin + 10;
  const body = [];
  const groups = [];
  let y = LADDER.top + 14;
  let before = ladder.start;
  rows.forEach((row, index) => {
    const delta = row.time - before;
    if (delta >= LADDER.pause) {
      body.push(drawn("text", { class: "pause", x: narrow ? 6 : 104, y: y + 13 }, `⋮ ${durationText(delta)}`));
      for (const x of at) body.push(drawn("line", { class: "gap", x1: x, x2: x, y1: y, y2: y + LADDER.gap }));
      y += LADDER.gap;
    }
    const media = row.style === "media";
    const group = drawn("g", { class: `m ${row.style}`, tabindex: "0", role: "button", "aria-label": `${row.label} ${row.cseq}`, "data-row": index });
    group.append(drawn("rect", { class: "hit", x: 0, y: media ? y - 5 : y - 8, width: right, height: media ? LADDER.media : LADDER.row }));
    group.append(...stampOf(row, y + 13, delta, narrow, captures));
    group.append(...(media ? mediaOf(row, at, y) : messageOf(row, at, y, spacing, right, ladder.start)));
    group.addEventListener("click", () => onPick(index));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onPick(index); }
      if (event.key === "ArrowDown") { event.preventDefault(); groups[index + 1]?.focus(); }
      if (event.key === "ArrowUp") { event.preventDefault(); groups[index - 1]?.focus(); }
    });
    groups.push(group);
    y += media ? LADDER.media : LADDER.row;
    before = Math.max(before, row.time);
  });
  const bottom = y + 8;
  const rails = at.map((x) => drawn("line", { class: "rail", x1: x, x2: x, y1: LADDER.top - 6, y2: bottom }));
  const svg = drawn("svg", { class: "ladder", width: right, height: bottom + 6, viewBox: `0 0 ${right} ${bottom + 6}` },
    ...rails, ...body, ...groups, ...ladder.columns.map((column, index) => headOf(column, at[index], spacing)));
  const mark = (picked) => groups.forEach((group, index) => {
    group.classList.toggle("one", picked[0] === index);
    group.classList.toggle("two", picked[1] === index);
  });
  return { svg, mark, groups };
}

const belowHead = ([, role, agent]) => [role, agent].filter(Boolean).join(", ");

function headWidth(column, spacing) {
  return Math.min(Math.max(column[0].length, belowHead(column).length * 0.85) * 7.2 + 16, spacing - 8);
}

function headOf(column, x, spacing) {
  const [label, , , addresses] = column;
  const room = Math.floor((spacing - 12) / 6.6);
  const below = belowHead(column);
  const wide = headWidth(column, spacing);
  const tip = [label, below, addresses > 1 ? `${addresses} addresses` : ""].filter(Boolean).join("\n");
  const group = drawn("g", { class: "who" }, drawn("title", {}, tip),
    drawn("rect", { x: x - wide / 2, y: 8, width: wide, height: 42, rx: 7 }),
    drawn("text", { class: "name", x, y: below ? 26 : 33, "text-anchor": "middle" }, clipped(label, room)));
  if (below) group.append(drawn("text", { class: "role", x, y: 41, "text-anchor": "middle" }, clipped(below, Math.floor(room * 1.15))));
  return group;
}

function stampOf(row, y, delta, narrow, captures) {
  const out = [drawn("text", { class: "clock", x: narrow ? 6 : 8, y }, clockText(row.time))];
  if (!narrow) {
    if (delta < LADDER.pause) out.push(drawn("text", { class: "delta", x: 146, y, "text-anchor": "end" }, `+${Math.max(delta, 0).toFixed(3)}`));
    if (row.packet) {
      const where = captures.length > 1 ? drawn("title", {}, captures[row.capture] || "") : "";
      out.push(drawn("text", { class: "packet", x: 212, y, "text-anchor": "end" }, where, `#${row.packet}`));
    }
  } else if (row.packet) out.push(drawn("text", { class: "packet", x: 6, y: y + 13 }, `#${row.packet}`));
  return out;
}

function messageOf(row, at, y, spacing, right, start) {
  const [x1, x2] = [at[row.source], at[row.target]];
  const line = y + 9;
  const way = Math.sign(x2 - x1);
  const out = [];
  if (way === 0) {
    out.push(drawn("path", { class: "a", d: `M${x1} ${line - 6}h30v12h-24` }), drawn("path", { class: "h", d: `M${x1 + 1} ${line + 6}l8 -4v8z` }));
  } else {
    out.push(drawn("line", { class: "a", x1, x2: x2 - way * 7, y1: line, y2: line }));
    out.push(drawn("path", { class: "h", d: `M${x2 - way} ${line}l${-way * 9} -4.5v9z` }));
  }
  const room = Math.floor((way === 0 ? right - x1 - 40 : Math.abs(x2 - x1) - 22) / 6.7);
  let extra = "";
  if (row.again) extra += ` ×${row.again + 1} until +${(row.last_again - start).toFixed(1)} s`;
  if (row.orphan) extra += " (retransmission)";
  if (row.copies) extra += ` (${row.copies} cop${row.copies === 1 ? "y" : "ies"})`;
  let text = `${row.label}  ${row.cseq}`;
  if ((text + extra).length > room) text = row.label;
  if ((text + extra).length > room && row.again) extra = ` ×${row.again + 1}`;
  const x = way === 0 ? x1 + 38 : (x1 + x2) / 2;
  const anchor = way === 0 ? "start" : "middle";
  const label = drawn("text", { class: "n", x, y: line - 5, "text-anchor": anchor }, clipped(text, Math.max(room - extra.length, 4)));
  if (extra) label.append(drawn("tspan", { class: "again" }, extra));
  out.push(label);
  if (row.detail) {
    const size = 5.6;
    const fits = Math.floor((right - 220) / size);
    const detail = clipped(row.detail, Math.max(fits, 20));
    const half = detail.length * size / 2;
    const middle = Math.min(Math.max(x, at[0] - 40 + half), right - half - 4);
    out.push(drawn("text", { class: "d", x: Math.max(middle, half), y: line + 14, "text-anchor": "middle" }, detail));
  }
  return out;
}

function mediaOf(row, at, y) {
  const [x1, x2] = [at[row.source], at[row.target]];
  const [low, high] = x1 < x2 ? [x1, x2] : [x2, x1];
  const wide = Math.max(high - low - 6, 60);
  const way = Math.sign(x2 - x1) || 1;
  const tip = way > 0 ? low + wide + 2 : low + 4;
  const middle = low + 3 + wide / 2;
  return [
    drawn("rect", { class: "bar", x: low + 3, y: y - 1, width: wide, height: 32, rx: 4 }),
    drawn("line", { class: "a", x1: low + 10, x2: low + wide - 4, y1: y + 2, y2: y + 2 }),
    drawn("line", { class: "a", x1: low + 10, x2: low + wide - 4, y1: y + 28, y2: y + 28 }),
    drawn("path", { class: "h", d: `M${tip} ${y + 15}l${-way * 10} -8v16z` }),
    drawn("text", { class: "n", x: middle, y: y + 13, "text-anchor": "middle" }, row.label),
    drawn("text", { class: "d", x: middle, y: y + 25, "text-anchor": "middle" }, clipped(row.detail, Math.floor(wide / 5.1) - 3)),
  ];
}
