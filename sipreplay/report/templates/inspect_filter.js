"use strict";
// The filter language of `--filter` over the fields that the call list has; any other text is searched for as words.
// Returns {mode, test}, or {error, column} for a filter that cannot be read. Evaluates nothing as code.

const FILTER_SIGN = /==|!=|<=|>=|!~|=~|<|>|~|=/y;
const FILTER_NAME = /[A-Za-z_][A-Za-z0-9_-]*/y;
const FILTER_BARE = /(?:(?!&&|\|\|)[^\s(),"'])+/y;
const FILTER_NUMBER = /^([-+]?(?:\d+(?:\.\d*)?|\.\d+))(us|µs|ms|s|sec|min|m|h|%)?$/;
const FILTER_SECONDS = { us: 1e-6, "µs": 1e-6, ms: 1e-3, s: 1, sec: 1, min: 60, m: 60, h: 3600 };
const FILTER_ALIASES = {
  callid: "call_id", code: "final", status: "final", method: "kind", caller: "source", src: "source",
  callee: "destination", dst: "destination", rule: "finding", id: "call", leg_state: "state",
};

class FilterError extends Error {
  constructor(column, text) { super(text); this.column = column; }
}

// fields: name -> {kind: "text" | "number" | "time", unit, values: (item) => array}.
function compileFilter(text, fields) {
  let at = 0;
  const fail = (place, what) => { throw new FilterError(place + 1, what); };
  const blank = () => { while (at < text.length && /\s/.test(text[at])) at++; };
  const match = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    return found && found.index === at ? found[0] : null;
  };
  const take = (size) => { at += size; blank(); };
  const word = (name, sign) => {
    if (sign && text.startsWith(sign, at)) { take(sign.length); return true; }
    const found = name ? match(FILTER_NAME) : null;
    if (!found || found.toLowerCase() !== name) return false;
    take(found.length);
    return true;
  };
  const either = () => {
    const tests = [both()];
    while (word("or", "||")) tests.push(both());
    return tests.length === 1 ? tests[0] : (item) => tests.some((test) => test(item));
  };
  const both = () => {
    const tests = [negation()];
    while (word("and", "&&")) tests.push(negation());
    return tests.length === 1 ? tests[0] : (item) => tests.every((test) => test(item));
  };
  const negation = () => {
    const begin = at;
    if (word("not", "!")) { const test = negation(); return (item) => !test(item); }
    if (!word("", "(")) return comparison();
    const test = either();
    if (!word("", ")")) fail(begin, "this parenthesis is not closed");
    return test;
  };
  const comparison = () => {
    const field = knownField();
    let sign = match(FILTER_SIGN);
    if (sign) {
      take(sign.length);
      sign = { "=": "==", "=~": "~" }[sign] || sign;
      const negative = sign[0] === "!";
      const fits = valueTest(field, negative ? (sign === "!=" ? "==" : "~") : sign);
      return (item) => field.values(item).some(fits) !== negative;
    }
    const negative = word("not");
    if (word("in")) {
      const begin = at;
      const many = word("", "(");
      const fits = [valueTest(field, "==")];
      while (many && word("", ",")) fits.push(valueTest(field, "=="));
      if (many && !word("", ")")) fail(begin, "this list is not closed");
      return (item) => field.values(item).some((value) => fits.some((one) => one(value))) !== negative;
    }
    if (negative) fail(at, "in is wanted after not");
    return (item) => field.values(item).some((value) => value !== "" && value !== 0);
  };
  const knownField = () => {
    const found = match(FILTER_NAME);
    if (!found) fail(at, at < text.length ? "a field is wanted here" : "the expression ends too early");
    let name = found.toLowerCase().replace(/-/g, "_");
    if (!(name in fields)) name = FILTER_ALIASES[name] || name;
    if (!Object.hasOwn(fields, name)) fail(at, `no field here is called ${found}; there are ${Object.keys(fields).join(", ")}`);
    take(found.length);
    return Object.assign({ name }, fields[name]);
  };
  const valueTest = (field, sign) => {
    const place = at;
    const value = sign === "~" ? quoted() ?? regexp() : quoted() ?? bare();
    if (sign === "~") {
      let pattern;
      if (value.length > 200) fail(place, "the regular expression is longer than 200 characters");
      try { pattern = new RegExp(value, "i"); } catch { fail(place, "this is no regular expression"); }
      return (said) => pattern.test(String(said).slice(0, 512));
    }
    if (field.kind === "text") {
      if (sign !== "==") fail(place, `${field.name} has no order: compare it with ==, !=, ~, !~ or in`);
      const low = value.toLowerCase();
      return (said) => String(said).toLowerCase() === low;
    }
    const family = /^([1-6])xx$/i.exec(value);
    if (family && field.name === "final" && sign === "==") return (said) => Math.floor(said / 100) === Number(family[1]);
    const wanted = field.kind === "time" ? moment(field, value, place) : quantity(field, value, place);
    const read = field.kind === "time" && wanted.clock ? (said) => said % 86400 : (said) => said;
    const limit = field.kind === "time" ? wanted.value : wanted;
    switch (sign) {
      case "<": return (said) => read(said) < limit;
      case "<=": return (said) => read(said) <= limit;
      case ">": return (said) => read(said) > limit;
      case ">=": return (said) => read(said) >= limit;
      default:
        return field.kind === "time" ? (said) => read(said) >= limit && read(said) < limit + wanted.span
          : (said) => said === limit;
    }
  };
  const quantity = (field, value, place) => {
    const found = FILTER_NUMBER.exec(value);
    if (!found) fail(place, `${field.name} is compared with a number`);
    const [, number, unit] = found;
    if (!unit || unit === field.unit) return Number(number);
    if (!(unit in FILTER_SECONDS) || !(field.unit in FILTER_SECONDS)) fail(place, `${unit} is no unit of ${field.name}`);
    return Number(number) * FILTER_SECONDS[unit] / FILTER_SECONDS[field.unit];
  };
  const moment = (field, value, place) => {
    const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?$/.exec(value);
    if (clock) {
      const seconds = clock[1] * 3600 + clock[2] * 60 + Number(clock[3] || 0);
      return { clock: true, value: seconds, span: clock[3] === undefined ? 60 : 1 };
    }
    const iso = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?$/.test(value);
    const stamp = iso ? Date.parse(value.replace(" ", "T") + (value.length > 10 ? "Z" : "")) / 1000 : Number(value);
    if (!Number.isFinite(stamp)) fail(place, 'a time is wanted: 2024-05-01, "2024-05-01 13:45" or 13:45');
    return { clock: false, value: stamp, span: iso && value.length === 10 ? 86400 : iso && value.length === 16 ? 60 : 1 };
  };
  const quoted = () => {
    const mark = text[at];
    if (mark !== '"' && mark !== "'") return null;
    let out = "";
    for (let i = at + 1; i < text.length; i++) {
      if (text[i] === "\\" && text[i + 1] === mark) { out += mark; i++; continue; }
      if (text[i] === mark) { take(i + 1 - at); return out; }
      out += text[i];
    }
    return fail(at, "this quotation mark is not closed");
  };
  const bare = () => {
    const found = match(FILTER_BARE);
    if (!found) fail(at, "a value is wanted here");
    take(found.length);
    return found;
  };
  const regexp = () => {
    let end = at;
    let depth = 0;
    for (; end < text.length && !/\s/.test(text[end]); end++) {
      if (text[end] === "\\") end++;
      else if (text[end] === "(") depth++;
      else if (text[end] === ")" && depth-- === 0) break;
    }
    end = Math.min(end, text.length);
    if (end === at) fail(at, "a regular expression is wanted here");
    const found = text.slice(at, end);
    take(found.length);
    return found;
  };
  blank();
  const test = either();
  if (at < text.length) fail(at, text[at] === ")" ? "this closes nothing" : "and, or, or the end is wanted here");
  return test;
}

// Words unless the text reads like a filter.
function searchOf(text, fields, textOf) {
  const trimmed = text.trim();
  if (!trimmed) return { mode: "", test: () => true };
  const first = /^[(!\s]*(?:not\s+)?[(\s]*([A-Za-z_-]+)\s*(==|!=|<=|>=|!~|=~|<|>|~|=|\)|\s+(?:not\s+)?in\b|\s+and\b|\s+or\b|$)/.exec(trimmed);
  const name = first ? first[1].toLowerCase().replace(/-/g, "_") : "";
  const known = Object.hasOwn(fields, name) || Object.hasOwn(FILTER_ALIASES, name);
  if (/==|!=|<|>|~/.test(trimmed) || (first && known && (first[2] !== "" || fields[name]?.bare || /^(not\b|!)/.test(trimmed)))) {
    try {
      return { mode: "filter", test: compileFilter(trimmed, fields) };
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      return { mode: "filter", error: error.message, column: error.column, test: () => true };
    }
  }
  const words = trimmed.toLowerCase().split(/\s+/);
  return { mode: "words", test: (item) => { const all = textOf(item); return words.every((one) => all.includes(one)); } };
}
