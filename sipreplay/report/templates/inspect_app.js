// The page: reads its data blocks, shows calls, streams, findings and the ladder of a call, and keeps where it is in the
// address (#call=3&m=4,7), so that a view can be linked to and the browser's back button works.

async function dataBlock(name) {
  const holder = document.getElementById(`data-${name}`);
  const bytes = Uint8Array.from(atob(holder.textContent.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const objects = (fields, rows) => rows.map((row) => Object.fromEntries(fields.map((name, index) => [name, row[index]])));
const byId = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 760px)");
const GOOD_STATES = { completed: "good", established: "good", rejected: "bad", unanswered: "bad" };

function milliseconds(value) {
  if (value === null) return "-";
  return value < 1000 ? `${value.toFixed(value < 10 ? 2 : 1)} ms` : durationText(value / 1000);
}
const counted = (number) => number.toLocaleString("en");
const plural = (number, noun) => `${counted(number)} ${noun}${number === 1 ? "" : "s"}`;

class Page {
  constructor(index) {
    this.calls = objects(index.fields.call, index.calls);
    this.streams = objects(index.fields.stream, index.streams);
    this.streams.forEach((stream, place) => { stream.place = place; });
    this.findings = index.findings;
    this.rowFields = index.fields.row;
    this.captures = index.captures;
    this.poorMos = index.poor_mos;
    this.callOf = new Map(this.calls.map((call) => [call.id, call]));
    this.findingsOf = new Map();
    index.findings.forEach((finding) => finding.calls.forEach((id) => {
      if (!this.findingsOf.has(id)) this.findingsOf.set(id, []);
      this.findingsOf.get(id).push(finding);
    }));
    this.blocks = new Map();
    this.fields = this.filterFields(index.units);
    this.makeCallList();
    this.makeStreamList();
    this.makeFindings();
    this.makePeers(index.actors, index.peers);
    for (const name of ["calls", "streams", "findings", "peers", "graph"]) byId(`tab-${name}`).onclick = () => this.go({ view: name });
    addEventListener("hashchange", () => this.follow());
    addEventListener("keydown", (event) => this.key(event));
    narrow.addEventListener("change", () => this.follow());
    this.follow();
  }

  // ---- where we are

  state() {
    return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  }

  go(state, replace = false) {
    const hash = "#" + new URLSearchParams(Object.entries(state).filter(([, value]) => value !== "" && value !== undefined));
    if (hash === location.hash) return;
    if (replace) { history.replaceState(null, "", hash); } else location.hash = hash;
  }

  follow() {
    const state = this.state();
    const id = Number(state.call);
    const view = this.callOf.has(id) ? "call" : ["streams", "findings", "peers", "graph"].includes(state.view) ? state.view : "calls";
    for (const section of document.querySelectorAll("section.view")) section.hidden = section.id !== view;
    for (const tab of document.querySelectorAll(".tabs button")) {
      tab.setAttribute("aria-selected", tab.id === `tab-${view}` || (view === "call" && tab.id === "tab-calls"));
    }
    byId("tiles").hidden = view === "call";
    if (view === "call") return this.showCall(this.callOf.get(id), (state.m || "").split(",").filter(Boolean).map(Number));
    this.opened = null;
    if (view === "calls") {
      if (state.q !== undefined && byId("calls-search").value !== state.q) { byId("calls-search").value = state.q; this.searchCalls(); }
      this.callList.draw(true);
    }
    if (view === "streams") { this.streamList.draw(true); this.showStream(state.stream === undefined ? null : Number(state.stream)); }
    return undefined;
  }

  key(event) {
    if (event.target.matches("input")) {
      if (event.key === "Escape") event.target.blur();
      if (event.key === "ArrowDown" || event.key === "Enter") this.focusList();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const state = this.state();
    if (event.key === "/") {
      event.preventDefault();
      if (state.view !== "streams") this.go({ view: "calls" });
      setTimeout(() => byId(state.view === "streams" ? "streams-search" : "calls-search").focus());
    } else if (event.key === "Escape" && this.opened) {
      if (state.m) this.go({ call: state.call }, true), this.follow();
      else this.go({ view: "calls" });
    } else if ((event.key === "[" || event.key === "]") && this.opened) {
      const at = this.callList.items.indexOf(this.opened.call);
      const next = this.callList.items[at + (event.key === "]" ? 1 : -1)];
      if (next) this.go({ call: next.id });
    } else if (event.key === "ArrowDown" && event.target === document.body) this.focusList();
  }

  focusList() {
    const list = byId("streams").hidden ? this.callList : this.streamList;
    if (list.cursor < 0) list.cursor = 0;
    list.scroller.focus();
    list.reveal();
  }

  // ---- calls

  filterFields(units) {
    const one = (name) => (call) => (call[name] === null || call[name] === "" ? [] : [call[name]]);
    const number = (name) => ({ kind: "number", unit: units[name] || "", values: one(name) });
    const text = (name) => ({ kind: "text", values: one(name) });
    const party = (name) => ({ kind: "text", values: (call) => [call[name], call[name].split("@")[0]] });
    const address = (name) => ({ kind: "text", values: (call) => [call[name], call[name].replace(/:\d+$/, "").replace(/^\[|\]$/g, "")] });
    const found = (read) => ({ kind: "text", bare: true, values: (call) => (this.findingsOf.get(call.id) || []).map(read) });
    const streams = (read) => (call) => call.streams.map((place) => read(this.streams[place])).filter((value) => value !== null);
    return {
      call: { kind: "number", unit: "", values: (call) => [call.id] }, kind: text("kind"), state: text("state"), final: number("final"),
      from: party("from"), to: party("to"), source: address("source"), destination: address("destination"), call_id: text("call_id"),
      dialogs: number("dialogs"), messages: number("messages"), retransmissions: number("retransmissions"),
      start: { kind: "time", values: (call) => [call.start] }, duration: number("duration"), pdd: number("pdd"), setup: number("setup"),
      codec: { kind: "text", values: streams((s) => s.codec) }, mos: { kind: "number", unit: "", values: streams((s) => s.mos) },
      lost: { kind: "number", unit: "", values: streams((s) => s.lost) },
      loss: { kind: "number", unit: "%", values: streams((s) => Math.max(100 * s.lost / Math.max(s.packets + s.lost, 1), 0)) },
      jitter: { kind: "number", unit: "ms", values: streams((s) => s.jitter) },
      dtmf: { kind: "text", bare: true, values: streams((s) => s.dtmf || null) },
      streams: { kind: "number", unit: "", bare: true, values: (call) => [call.streams.length] },
      finding: found((f) => f.rule), severity: found((f) => f.severity),
    };
  }

  markOf(call) {
    for (const [name, letter] of [["errors", "E"], ["warnings", "W"], ["notes", "n"]]) {
      if (call[name]) return element("span", { class: `mark ${name}`, title: plural(call[name], name.slice(0, -1).replace("note", "note")) }, `${call[name]}${letter}`);
    }
    return "";
  }

  makeCallList() {
    const party = (name, place) => (call) => [element("span", { class: "main" }, call[name] || call[place]), element("span", { class: "sub" }, call[place])];
    const days = new Set(this.calls.map((call) => dayText(call.start))).size > 1;
    const stateText = (call) => (call.final && !["2"].includes(String(call.final)[0]) ? `${call.state} ${call.final}` : call.state);
    const columns = [
      { key: "id", name: "Call", class: "n id", value: (c) => c.id, cell: (c) => String(c.id) },
      { key: "mark", name: "!", title: "findings", class: "mk", value: (c) => -(c.errors * 1e6 + c.warnings * 1e3 + c.notes), cell: (c) => this.markOf(c) },
      { key: "kind", name: "Method", class: "kd", value: (c) => c.kind, cell: (c) => c.kind },
      { key: "from", name: "From", class: "party fr", value: (c) => c.from, cell: party("from", "source") },
      { key: "to", name: "To", class: "party to", value: (c) => c.to, cell: party("to", "destination") },
      { key: "state", name: "State", class: "st", value: stateText, cell: (c) => element("span", { class: `state ${GOOD_STATES[c.state] || "warn"}` }, stateText(c)) },
      { key: "start", name: "Start (UTC)", class: "n ti", value: (c) => c.start, cell: (c) => (days ? [dayText(c.start), element("span", { class: "sub" }, clockText(c.start))] : clockText(c.start)) },
      { key: "duration", name: "Length", class: "n du", value: (c) => c.duration, cell: (c) => durationText(c.duration) },
      { key: "pdd", name: "PDD", title: "post-dial delay", class: "n w1", value: (c) => c.pdd, cell: (c) => milliseconds(c.pdd) },
      { key: "setup", name: "Setup", class: "n w2", value: (c) => c.setup, cell: (c) => milliseconds(c.setup) },
      { key: "dialogs", name: "Legs", class: "n w2", value: (c) => c.dialogs, cell: (c) => String(c.dialogs) },
      { key: "messages", name: "Msgs", title: "messages", class: "n w1", value: (c) => c.messages, cell: (c) => (c.retransmissions ? [String(c.messages), element("span", { class: "sub warn" }, `${c.retransmissions} again`)] : String(c.messages)) },
      { key: "codec", name: "Codec", class: "w1", value: (c) => c.codec, cell: (c) => c.codec || "-" },
      { key: "lost", name: "Lost", title: "lost RTP packets, from the caller / from the callee", class: "n w1", value: (c) => c.lost, cell: (c) => element("span", { class: c.lost > 0 ? "bad" : "" }, c.lost_text) },
      { key: "jitter", name: "Jitter", class: "n w2", value: (c) => c.jitter, cell: (c) => (c.jitter === null ? "-" : `${c.jitter.toFixed(1)} ms`) },
      { key: "mos", name: "MOS", title: "MOS, from the caller / from the callee", class: "n ms", value: (c) => c.mos, cell: (c) => element("span", { class: c.mos !== null && c.mos < this.poorMos ? "warn" : "" }, c.mos_text) },
    ];
    this.callList = new VirtualList(byId("calls-list"), columns, {
      rowHeight: () => (narrow.matches ? 62 : 42), label: "calls", onOpen: (call) => this.go({ call: call.id }),
      template: "42px 30px 80px minmax(124px,1.3fr) minmax(124px,1.3fr) 116px 92px 84px 68px 68px 38px 56px minmax(52px,.5fr) 48px 60px 80px",
    });
    let waiting = 0;
    byId("calls-search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => this.searchCalls(true), 120); });
    this.searchCalls();
  }

  searchCalls(typed = false) {
    const text = byId("calls-search").value;
    const words = (call) => (call.words ??= [call.id, call.kind, call.from, call.to, call.source, call.destination, call.state, call.final, call.codec, call.call_id].join(" ").toLowerCase());
    const search = searchOf(text, this.fields, words);
    const mode = byId("calls-mode");
    mode.className = search.error ? "bad mode" : "muted mode";
    mode.textContent = search.error ? `filter, column ${search.column}: ${search.error}`
      : search.mode === "filter" ? "read as a filter" : search.mode === "words" ? "read as words that all have to be in a row" : `a filter may ask for ${Object.keys(this.fields).join(", ")}`;
    const found = search.error ? this.calls : this.calls.filter(search.test);
    byId("calls-count").textContent = found.length === this.calls.length ? plural(found.length, "call") : `${counted(found.length)} of ${plural(this.calls.length, "call")}`;
    this.callList.show(found, this.calls.length ? "No call fits." : "No SIP call or transaction was found.");
    if (typed) this.go({ view: "calls", q: text }, true);
  }

  // ---- one call

  async ladderOf(call) {
    if (!this.blocks.has(call.chunk)) {
      if (this.blocks.size > 24) this.blocks.delete(this.blocks.keys().next().value);
      this.blocks.set(call.chunk, dataBlock(`ladders${call.chunk}`));
    }
    return (await this.blocks.get(call.chunk))[call.id];
  }

  async showCall(call, picked) {
    const host = byId("call");
    if (this.opened?.call === call && this.opened.narrow === narrow.matches) { this.pick(picked); return; }
    this.opened = { call, narrow: narrow.matches, picked: [] };
    const facts = [`${call.kind} ${call.from || call.source} → ${call.to || call.destination}`, durationText(call.duration), `${dayText(call.start)} ${clockText(call.start)} UTC`];
    const move = (step, text, title) => {
      const at = this.callList.items.indexOf(call);
      const next = this.callList.items[at + step];
      return element("button", { type: "button", title, disabled: at < 0 || !next, onclick: () => this.go({ call: next.id }) }, text);
    };
    const head = element("div", { class: "card callhead" },
      element("div", { class: "bar" }, element("button", { type: "button", onclick: () => this.go({ view: "calls", q: byId("calls-search").value }) }, "← calls"),
        move(-1, "‹", "call before, ["), move(1, "›", "call after, ]"),
        element("h2", {}, `Call ${call.id}`), element("span", { class: `state ${GOOD_STATES[call.state] || "warn"}` }, call.final ? `${call.state} ${call.final}` : call.state)),
      element("p", { class: "facts" }, facts.join(" · ")));
    host.replaceChildren(head);
    for (const finding of this.findingsOf.get(call.id) || []) head.append(this.findingNode(finding, false));
    if (call.chunk < 0) { host.append(element("p", { class: "card muted" }, `The ladder of this call is not on the page: sipreplay inspect --call ${call.id} shows it.`)); return; }
    const data = await this.ladderOf(call);
    if (this.opened?.call !== call) return;
    this.opened.rows = objects(this.rowFields, data.rows);
    head.append(element("details", { class: "legs" }, element("summary", { class: "muted" }, `${plural(data.legs.length, "leg")}${data.evidence.length ? ", one call by " + [...new Set(data.evidence.map(([rule]) => rule))].join(", ") : ""}`),
      ...data.legs.map(([from, to, kind, state, callId, transport]) => element("p", { class: "leg" }, `${from} → ${to} · ${transport} · ${kind} ${state} · ${callId}`))));
    this.opened.drawn = drawLadder(data, this.opened.rows, {
      narrow: narrow.matches, captures: this.captures,
      onPick: (index) => {
        const now = this.opened.picked;
        const next = now.includes(index) ? now.filter((one) => one !== index) : now.length === 1 ? [...now, index] : [index];
        this.go({ call: call.id, m: next.join(",") }, true);
        this.pick(next);
      },
    });
    const left = data.left ? element("p", { class: "warn" }, `${plural(data.left, "message")} more: sipreplay inspect --call ${call.id} --all shows them.`) : "";
    this.opened.panel = element("aside", { class: "panel card", "aria-live": "polite" });
    host.append(element("div", { class: "split" }, element("div", { class: "card picture" }, this.opened.drawn.svg, left), this.opened.panel));
    this.pick(picked);
    window.scrollTo(0, 0);
  }

  pick(picked) {
    const { rows, drawn: ladder, panel, call } = this.opened;
    if (!ladder) return;
    picked = picked.filter((index) => rows[index]).slice(0, 2);
    this.opened.picked = picked;
    ladder.mark(picked);
    panel.parentNode.classList.toggle("open", picked.length > 0);
    panel.replaceChildren(element("button", { class: "close", type: "button", title: "close, Esc", onclick: () => { this.go({ call: call.id }, true); this.pick([]); } }, "×"));
    if (!picked.length) {
      panel.append(element("p", { class: "muted" }, "Click a message for its text, a second one to compare them. A stream shows its charts."));
      return;
    }
    if (narrow.matches) ladder.groups[picked[picked.length - 1]].scrollIntoView({ block: "start" });
    const [one, two] = picked.map((index) => rows[index]);
    const title = (row) => `${row.label} ${row.cseq}${row.packet ? ` · packet ${row.packet}` : ""} · ${clockText(row.time)}`;
    if (two && one.stream < 0 && two.stream < 0) {
      panel.append(element("h3", {}, "Two messages compared"), element("p", { class: "muted delk" }, `− ${title(one)}`), element("p", { class: "muted addk" }, `+ ${title(two)}`),
        element("div", { class: "scroll" }, diffOf(one.raw, two.raw)));
      return;
    }
    const row = two || one;
    panel.append(element("h3", {}, title(row)));
    if (row.stream >= 0) { this.streamFacts(panel, this.streams[row.stream]); return; }
    if (row.again) panel.append(element("p", { class: "warn" }, `sent ${row.again + 1} times, the last at ${clockText(row.last_again)}`));
    panel.append(messageText(row.raw));
  }

  // ---- streams

  makeStreamList() {
    const columns = [
      { key: "call", name: "Call", class: "n id", value: (s) => s.call, cell: (s) => (s.call === null ? "-" : String(s.call)) },
      { key: "source", name: "Source", class: "party fr", value: (s) => s.source, cell: (s) => s.source },
      { key: "destination", name: "Destination", class: "party to", value: (s) => s.destination, cell: (s) => s.destination },
      { key: "ssrc", name: "SSRC", class: "mono w2", value: (s) => s.ssrc, cell: (s) => s.ssrc },
      { key: "codec", name: "Codec", class: "cd", value: (s) => s.codec, cell: (s) => s.codec },
      { key: "packets", name: "Packets", class: "n du", value: (s) => s.packets, cell: (s) => counted(s.packets) },
      { key: "lost", name: "Lost", class: "n st", value: (s) => s.lost, cell: (s) => element("span", { class: s.lost > 0 ? "bad" : "" }, s.lost > 0 ? `${counted(s.lost)} (${(100 * s.lost / (s.packets + s.lost)).toPrecision(2)} %)` : String(s.lost)) },
      { key: "reordered", name: "Order", title: "out of order", class: "n w1", value: (s) => s.reordered, cell: (s) => String(s.reordered) },
      { key: "max_delta", name: "Max delta", class: "n w1", value: (s) => s.max_delta, cell: (s) => `${s.max_delta} ms` },
      { key: "jitter", name: "Jitter", title: "mean jitter", class: "n w1", value: (s) => s.jitter, cell: (s) => `${s.jitter.toFixed(2)} ms` },
      { key: "max_jitter", name: "Peak jitter", class: "n w2", value: (s) => s.max_jitter, cell: (s) => `${s.max_jitter.toFixed(2)} ms` },
      { key: "mos", name: "MOS", class: "n ms", value: (s) => s.mos, cell: (s) => element("span", { class: s.mos !== null && s.mos < this.poorMos ? "warn" : "" }, s.mos === null ? "-" : s.mos.toFixed(2)) },
      { key: "dtmf", name: "Digits", class: "mono w1", value: (s) => s.dtmf, cell: (s) => s.dtmf },
    ];
    this.streamList = new VirtualList(byId("streams-list"), columns, {
      rowHeight: () => (narrow.matches ? 62 : 34), label: "streams", onOpen: (stream) => this.go({ view: "streams", stream: stream.place }),
      template: "52px minmax(130px,1fr) minmax(130px,1fr) 96px minmax(80px,.7fr) 80px 112px 56px 90px 86px 92px 58px minmax(60px,.6fr)",
    });
    const search = () => {
      const text = byId("streams-search").value.toLowerCase().split(/\s+/).filter(Boolean);
      const found = this.streams.filter((s) => { s.words ??= [s.source, s.destination, s.ssrc, s.codec, s.dtmf, `call ${s.call}`].join(" ").toLowerCase(); return text.every((word) => s.words.includes(word)); });
      byId("streams-count").textContent = found.length === this.streams.length ? plural(found.length, "stream") : `${counted(found.length)} of ${plural(this.streams.length, "stream")}`;
      this.streamList.show(found, this.streams.length ? "No stream fits." : "No RTP stream was found.");
    };
    byId("streams-search").addEventListener("input", search);
    search();
  }

  async showStream(place) {
    const host = byId("stream-detail");
    const stream = this.streams[place];
    host.hidden = !stream;
    if (!stream) return;
    host.replaceChildren(element("button", { class: "close", type: "button", title: "close", onclick: () => this.go({ view: "streams" }) }, "×"),
      element("h3", {}, `${stream.source} → ${stream.destination}`));
    await this.streamFacts(host, stream);
  }

  async streamFacts(host, stream) {
    const facts = [
      ["SSRC", stream.ssrc], ["codec", `${stream.codec} (PT ${stream.types})${stream.media && stream.media !== "audio" ? ", " + stream.media : ""}`],
      ["time", `${clockText(stream.first)} to ${clockText(stream.last)}, ${durationText(stream.last - stream.first)}`],
      ["packets", `${counted(stream.packets)}, ${counted(stream.lost)} lost, ${stream.reordered} out of order, ${stream.duplicates} twice`],
      ["jitter", `${stream.jitter.toFixed(2)} ms mean, ${stream.max_jitter.toFixed(2)} ms peak; longest gap ${stream.max_delta} ms`],
      ["MOS", stream.mos === null ? "" : stream.mos.toFixed(2) + (stream.mos_worst === null ? "" : `, worst ten seconds ${stream.mos_worst.toFixed(2)}`)],
      ["packet time", stream.ptime === null ? "" : `${stream.ptime} ms`], ["clock drift", stream.drift === null ? "" : `${stream.drift} ppm`], ["digits", stream.dtmf],
    ];
    const list = element("dl", { class: "facts" }, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    host.append(list);
    if (stream.call !== null && byId("call").hidden) list.append(element("dt", {}, "call"), element("dd", {}, element("a", { href: `#call=${stream.call}` }, `call ${stream.call}`)));
    this.windows ??= dataBlock("windows");
    const windows = await this.windows;
    host.append(streamCharts(windows[stream.place] || [], stream.last - stream.first));
  }

  // ---- actors and peers

  makePeers(actors, peers) {
    const table = (headings, rows) => element("div", { class: "scroll" }, element("table", {},
      element("thead", {}, element("tr", {}, ...headings.map(([name, style]) => element("th", { class: style }, name)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell, at) => element("td", { class: headings[at][1] }, cell)))))));
    const many = (addresses) => addresses.slice(0, 6).join(", ") + (addresses.length > 6 ? ` and ${addresses.length - 6} more` : "");
    const search = (text) => element("a", { href: `#${new URLSearchParams({ view: "calls", q: text })}` }, text);
    byId("peers").append(
      element("h2", {}, "Peers"),
      element("p", { class: "muted" }, "Calls sent to each actor and coming from it. ASR: answered out of those decided; NER: with busy, declined, cancelled and unavailable counted as the network's success."),
      table([["peer", "k"], ["calls", ""], ...["tried", "answered", "ASR", "NER", "PDD median", "95 %", "mean length", "again"].map((name) => [name, "n"]), ["failed with", "w"], ["other dialogs", "w"]],
        peers.map(([label, ...rest]) => [search(label), ...rest])),
      element("h2", { class: "second" }, "Actors"),
      table([["actor", "k"], ["roles", ""], ["addresses", "w"], ["software", "w"], ["probably the system under test", "w"]],
        actors.map(([id, roles, addresses, agent, why]) => [id, roles, many(addresses), agent, why])));
  }

  // ---- findings

  makeFindings() {
    const host = byId("findings");
    if (!this.findings.length) host.append(element("p", { class: "muted" }, "Nothing was found wrong."));
    for (const finding of this.findings) host.append(this.findingNode(finding, true));
  }

  findingNode(finding, links) {
    const title = [element("span", { class: "sev" }, finding.severity), element("b", {}, finding.title), element("span", { class: "muted rule" }, finding.rule)];
    const body = [element("p", {}, finding.why), element("p", { class: "muted" }, `→ ${finding.remedy}`)];
    const name = `finding ${finding.severity}`;
    if (!links) return element("details", { class: name }, element("summary", { class: "title" }, ...title), ...body);
    const node = element("div", { class: name }, element("p", { class: "title" }, ...title), ...body);
    if (finding.calls.length || finding.streams.length) {
      const most = 40;
      const list = element("p", { class: "links" }, ...finding.calls.slice(0, most).map((id) => element("a", { href: `#call=${id}` }, `call ${id}`)),
        ...(finding.calls.length ? [] : finding.streams.slice(0, most).map((place) => element("a", { href: `#view=streams&stream=${place}` }, `stream ${place + 1}`))));
      if (finding.calls.length > most) list.append(element("a", { href: `#${new URLSearchParams({ view: "calls", q: `finding==${finding.rule}` })}` }, `all ${counted(finding.calls.length)} calls`));
      node.append(list);
    }
    return node;
  }
}

(async () => {
  const status = byId("status");
  try {
    window.page = new Page(await dataBlock("index"));
  } catch (error) {
    status.hidden = false;
    status.textContent = typeof DecompressionStream === "undefined" ? "This browser is too old to open the page's data: it has no DecompressionStream (2023 and later have)."
      : `The page's data cannot be read: ${error}`;
  }
})();
