// Jitter, loss and MOS of a stream over time, from windows of ten seconds, as SVG.

const CHART = { width: 760, height: 132, left: 46, right: 12, top: 18, bottom: 24 };

function niceLimit(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
  return [1, 2, 5, 10].map((step) => step * power).find((limit) => limit >= value) || 10 * power;
}

// series: [{name, class, bars, values}]; values and times are as long as each other.
function chartOf(title, unit, times, span, series, { low = 0, high = null, least = 1e-3 } = {}) {
  const { width, height, left, right, top, bottom } = CHART;
  const limit = high ?? niceLimit(Math.max(...series.flatMap((one) => one.values.filter((v) => v !== null)), least) * 1.05);
  const x = (time) => left + (width - left - right) * time / Math.max(span, 1);
  const y = (value) => height - bottom - (height - top - bottom) * (value - low) / (limit - low);
  const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  svg.append(drawn("text", { class: "title", x: left, y: 12 }, `${title}${unit ? `, ${unit}` : ""}`));
  let legend = width - right;
  for (const one of [...series].reverse()) {
    if (series.length > 1) {
      svg.append(drawn("text", { class: `key ${one.class}`, x: legend, y: 12, "text-anchor": "end" }, one.name));
      legend -= one.name.length * 6.4 + 16;
    }
  }
  for (const part of [0, 0.5, 1]) {
    const value = low + (limit - low) * part;
    svg.append(drawn("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    svg.append(drawn("text", { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, String(+value.toPrecision(3))));
  }
  for (let part = 0; part <= 4; part++) {
    const time = span * part / 4;
    svg.append(drawn("text", { class: "tick", x: x(time), y: height - 8, "text-anchor": part === 4 ? "end" : part ? "middle" : "start" }, durationText(time)));
  }
  const step = Math.max(x(Math.min(10, span)) - left - 1, 1.5);
  for (const one of series) {
    if (one.bars) {
      one.values.forEach((value, index) => {
        if (value > 0) {
          svg.append(drawn("rect", { class: `bar ${one.class}`, x: x(times[index]), y: y(Math.min(value, limit)), width: step, height: y(low) - y(Math.min(value, limit)) },
            drawn("title", {}, `${one.name} ${+value.toPrecision(3)} ${unit} at +${durationText(times[index])}`)));
        }
      });
      continue;
    }
    let path = "";
    let pen = false;
    one.values.forEach((value, index) => {
      if (value === null) { pen = false; return; }
      const middle = x(Math.min(times[index] + 5, span));
      path += `${pen ? "L" : "M"}${middle.toFixed(1)} ${y(Math.min(value, limit)).toFixed(1)}`;
      pen = true;
      svg.append(drawn("circle", { class: `dot ${one.class}`, cx: middle, cy: y(Math.min(value, limit)), r: one.values.length > 120 ? 0.8 : 2.4 },
        drawn("title", {}, `${one.name} ${+value.toPrecision(3)} ${unit} at +${durationText(times[index])}`)));
    });
    svg.append(drawn("path", { class: `line ${one.class}`, d: path }));
  }
  return svg;
}

// windows: [[seconds, packets, lost, discarded, mean jitter, peak jitter, MOS]].
function streamCharts(windows, span) {
  if (!windows.length) return element("p", { class: "muted" }, "There are no windows of ten seconds for this stream.");
  const times = windows.map((w) => w[0]);
  const share = (lost, packets) => (packets + Math.max(lost, 0) > 0 ? 100 * Math.max(lost, 0) / (packets + Math.max(lost, 0)) : 0);
  const charts = [
    chartOf("Jitter", "ms", times, span, [
      { name: "mean", class: "c1", values: windows.map((w) => w[4]) },
      { name: "peak", class: "c2", values: windows.map((w) => w[5]) },
    ]),
    chartOf("Loss", "% of ten seconds", times, span, [
      { name: "lost", class: "c3", bars: true, values: windows.map((w) => share(w[2], w[1])) },
      { name: "too late for a 60 ms buffer", class: "c4", values: windows.map((w) => (w[1] ? 100 * w[3] / w[1] : 0)) },
    ], { least: 0.9 }),
  ];
  if (windows.some((w) => w[6] !== null)) {
    charts.push(chartOf("MOS", "", times, span, [{ name: "MOS", class: "c5", values: windows.map((w) => w[6]) }], { low: 1, high: 4.5 }));
  }
  return element("div", { class: "charts" }, ...charts);
}
