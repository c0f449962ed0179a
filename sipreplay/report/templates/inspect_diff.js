// The text of a message, and two messages line by line: what is only in one is marked, and in changed lines the change.

function lines(text) {
  return text.split("\n");
}

// Longest common subsequence of lines; long texts are compared as far as the table stays small.
function alignLines(a, b) {
  const most = 600;
  if (a.length > most || b.length > most) { a = a.slice(0, most); b = b.slice(0, most); }
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const out = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) out.push([a[i++], b[j++]]);
    else if (j >= b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) out.push([a[i++], null]);
    else out.push([null, b[j++]]);
  }
  return paired(out);
}

// A line of one side beside the line of the other that has the same name (header or SDP type) in the same run of changes.
function paired(pairs) {
  const nameOf = (line) => (/^[a-z]=/.test(line) ? line.slice(0, 2) : line.split(/[: ]/, 1)[0].toLowerCase());
  const out = [];
  for (let at = 0; at < pairs.length;) {
    if (pairs[at][0] !== null && pairs[at][1] !== null) { out.push(pairs[at++]); continue; }
    const removed = [];
    const added = [];
    for (; at < pairs.length && (pairs[at][0] === null || pairs[at][1] === null); at++) {
      if (pairs[at][0] !== null) removed.push(pairs[at][0]); else added.push(pairs[at][1]);
    }
    for (const line of removed) {
      const mate = added.findIndex((other) => nameOf(other) === nameOf(line));
      if (mate < 0) out.push([line, null]);
      else {
        for (const early of added.splice(0, mate)) out.push([null, early]);
        out.push([line, added.shift()]);
      }
    }
    for (const line of added) out.push([null, line]);
  }
  return out;
}

function changed(line, other) {
  let head = 0;
  while (head < line.length && head < other.length && line[head] === other[head]) head++;
  let tail = 0;
  while (tail < line.length - head && tail < other.length - head && line[line.length - 1 - tail] === other[other.length - 1 - tail]) tail++;
  const middle = line.slice(head, line.length - tail);
  return [line.slice(0, head), middle ? element("mark", {}, middle) : "", line.slice(line.length - tail)];
}

function diffOf(one, two) {
  const cell = (line, other, side) => {
    if (line === null) return element("td", { class: "none" });
    if (other === null) return element("td", { class: side }, line || " ");
    return element("td", { class: line === other ? "same" : side }, ...(line === other ? [line || " "] : changed(line, other)));
  };
  const [[first, ...a], [second, ...b]] = [lines(one), lines(two)];
  const rows = [[first, second], ...alignLines(a, b)].map(([a, b]) => element("tr", {}, cell(a, b, "del"), cell(b, a, "add")));
  return element("table", { class: "diff" }, element("tbody", {}, ...rows));
}

function messageText(text) {
  const pre = element("pre", { class: "message", dir: "ltr" });
  let body = false;
  lines(text).forEach((line, index) => {
    const header = !body && index > 0 ? /^([^:\s]+)(\s*:)(.*)$/.exec(line) : null;
    if (index > 0 && line === "") body = true;
    if (index === 0) pre.append(element("b", {}, line));
    else if (header) pre.append(element("span", { class: "hn" }, header[1] + header[2]), header[3]);
    else pre.append(line);
    pre.append("\n");
  });
  return pre;
}
