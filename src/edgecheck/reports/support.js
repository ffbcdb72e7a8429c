"use strict";
const SIGN = { yes: "●", some: "◐", fallback: "↷", rejected: "✕", unknown: "?" };
const WORD = { yes: "supported", some: "supported within limits", fallback: "falls back", rejected: "rejected", unknown: "not known" };
const find = (id) => document.getElementById(id);
const state = { format: "tflite", query: "", device: "", differ: false, op: "", target: "" };
let data;

async function unpack() {
  const packed = Uint8Array.from(atob(find("data").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const text = (number) => data.strings[number];

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/* Points of an axis as numbers that can be compared, as edgecheck itself orders them. */
function before(a, b) {
  const one = data.order[a], two = data.order[b];
  for (let i = 0; i < Math.max(one.length, two.length); i++) {
    if ((one[i] || 0) !== (two[i] || 0)) return (one[i] || 0) < (two[i] || 0);
  }
  return false;
}

function inForce(fact, version) {
  if (!version) return true;
  return !(fact.since && before(version, fact.since)) && !(fact.removed && !before(version, fact.removed));
}

/* Where a device names a point of the axis, that; else the newest. */
function pointOf(target) {
  const device = data.devices.find((one) => one.id === state.device);
  const offered = device && device.targets.find((one) => one.id === target.id);
  return (offered && offered.version) || target.versions[target.versions.length - 1];
}

/* The best that an entry in force gives: the file decides within the limits. */
function verdict(target, op) {
  const entries = data.ops[target.id][op];
  if (!entries) return { kind: target.miss, listed: false };
  const held = entries.filter((one) => inForce(one, pointOf(target)));
  if (!held.length) return { kind: target.miss, listed: true };
  const kinds = held.map((one) => {
    if (one.v) return one.v;
    const limits = [...(one.l || []), ...target.limits].filter((limit) => inForce(limit, pointOf(target)));
    if (limits.some((limit) => limit.o === "unknown" && !limit.where)) return "unknown";
    return limits.length || one.when !== undefined || one.opv ? "some" : "yes";
  });
  for (const kind of ["yes", "some", "unknown", "fallback", "rejected"]) {
    if (kinds.includes(kind)) return { kind: kind === "yes" && kinds.length > 1 ? "some" : kind, listed: true };
  }
}

function targets() {
  const device = data.devices.find((one) => one.id === state.device);
  return data.targets.filter((one) => one.format === state.format && (!device || device.targets.some((t) => t.id === one.id)));
}

function operators(columns) {
  const every = new Set();
  for (const target of columns) for (const op of Object.keys(data.ops[target.id])) every.add(op);
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  return [...every].sort((a, b) => a.localeCompare(b)).filter((op) => {
    const name = op.toLowerCase().replaceAll("_", "");
    if (!words.every((word) => name.includes(word.replaceAll("_", "")))) return false;
    return !state.differ || columns.some((target) => ["fallback", "rejected"].includes(verdict(target, op).kind));
  });
}

function cell(target, op) {
  const found = verdict(target, op);
  const chosen = state.op === op && state.target === target.id ? " chosen" : "";
  const label = `${op} on ${target.id}: ${WORD[found.kind]}${found.listed ? "" : ", not listed"}`;
  return element("td", {}, element("button", {
    class: `cell ${found.kind}${found.listed ? "" : " hollow"}${chosen}`, title: label, "aria-label": label,
    "data-op": op, "data-target": target.id, onclick: () => choose(op, target.id),
  }, SIGN[found.kind]));
}

function draw() {
  const columns = targets();
  const rows = operators(columns);
  const head = element("tr", {}, element("th", {}), ...columns.map((one) =>
    element("th", { title: `${one.title}\n${one.facts} facts, ${one.axis} ${pointOf(one)}` },
      element("div", { onclick: () => choose("", one.id) }, one.id))));
  const body = rows.map((op) => element("tr", {}, element("th", { scope: "row" }, op), ...columns.map((one) => cell(one, op))));
  find("matrix").replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
  find("count").textContent = `${rows.length} operators × ${columns.length} targets`;
  find("formats").replaceChildren(...Object.entries(data.formats)
    .filter(([format]) => data.targets.some((one) => one.format === format))
    .map(([format, title]) => element("button", {
      role: "tab", "aria-selected": String(format === state.format), onclick: () => { state.format = format; state.op = ""; update(); },
    }, title)));
  facts();
}

function evidence(numbers) {
  return element("p", { class: "evidence" }, numbers.length ? "evidence: " + numbers.map(text).join("; ") : "");
}

function span(fact, target) {
  const parts = [];
  if (fact.since) parts.push(`from ${target.axis} ${fact.since}`);
  if (fact.removed) parts.push(`until ${target.axis} ${fact.removed}`);
  if (fact.opv) parts.push(`operator version ${fact.opv[0]}${fact.opv[1] === null ? " and later" : fact.opv[1] === fact.opv[0] ? "" : " to " + fact.opv[1]}`);
  if (fact.when !== undefined) parts.push(`where ${text(fact.when)}`);
  return parts.length ? element("p", { class: "quiet" }, parts.join(", ")) : null;
}

function limitView(limit, target) {
  return element("div", { class: `fact ${limit.o}` },
    element("div", {}, `${text(limit.say) || text(limit.t)}`, element("span", { class: "quiet" }, ` — else ${WORD[limit.o]}`)),
    text(limit.t) ? element("code", {}, text(limit.t)) : null, span(limit, target),
    limit.help !== undefined ? element("p", {}, "help: " + text(limit.help)) : null, evidence(limit.s));
}

function entryView(entry, target) {
  const kind = entry.v || "supported";
  return element("section", {},
    element("h3", {}, kind === "supported" ? (entry.l ? "Supported, if" : "Supported") : WORD[kind]),
    entry.say !== undefined ? element("p", {}, text(entry.say)) : null, span(entry, target),
    entry.note !== undefined ? element("p", { class: "quiet" }, text(entry.note)) : null,
    entry.help !== undefined ? element("p", {}, "help: " + text(entry.help)) : null,
    evidence(entry.s), ...(entry.l || []).map((one) => limitView(one, target)));
}

/* Who else takes the operator: targets of the format, then the devices that offer one of them. */
function elsewhere(op, target) {
  const takers = data.targets.filter((one) => one.format === target.format && one.id !== target.id &&
    ["yes", "some"].includes(verdict(one, op).kind));
  const devices = data.devices.filter((one) => one.targets.some((t) => takers.some((taker) => taker.id === t.id)));
  if (!takers.length) return element("p", { class: "quiet" }, "No other target of this format takes it.");
  return element("div", {}, element("h3", {}, "Who takes it"),
    element("p", {}, takers.map((one) => one.id).join(", ")),
    devices.length ? element("p", { class: "quiet" }, "nearest devices: " + devices.slice(0, 8).map((one) => one.title).join(", ") +
      (devices.length > 8 ? ` and ${devices.length - 8} more` : "")) : null);
}

function facts() {
  const panel = find("facts");
  const target = data.targets.find((one) => one.id === state.target && one.format === state.format);
  panel.hidden = !target;
  if (!target) return;
  const close = element("button", { class: "close", "aria-label": "close", onclick: () => choose("", "") }, "✕");
  const offered = data.devices.filter((one) => one.targets.some((t) => t.id === target.id));
  const parts = [close, element("h2", {}, state.op || target.id), element("p", { class: "quiet" },
    state.op ? `on ${target.title}, ${target.axis} ${pointOf(target)}` : target.title)];
  if (state.op) {
    const entries = data.ops[target.id][state.op];
    const found = verdict(target, state.op);
    if (!entries) parts.push(element("p", {}, `Not listed: ${WORD[target.miss]}` + (target.miss === "unknown" ? "." : ", since the table lists every operator it takes.")));
    for (const entry of entries || []) parts.push(entryView(entry, target));
    if (target.limits.length) parts.push(element("h3", {}, "For every operator"), ...target.limits.map((one) => limitView(one, target)));
    if (!["yes"].includes(found.kind)) parts.push(elsewhere(state.op, target));
    parts.push(element("p", { class: "quiet" }, element("code", {}, `edgecheck ops ${target.id} '${state.op}'`)));
  } else {
    parts.push(element("p", {}, target.notes), element("p", { class: "quiet" },
      `${target.facts} facts; ${target.axis}: ${target.versions.join(", ")}; an operator that is not listed: ${WORD[target.miss]}`));
  }
  parts.push(element("h3", {}, "Devices that offer it"), element("p", {}, offered.map((one) => one.title).join(", ") || "none in devices.toml yet"));
  panel.replaceChildren(...parts.filter(Boolean));
}

function choose(op, target) {
  state.op = op;
  state.target = target;
  update();
}

/* The state is in the address: a cell can be linked to. */
function update() {
  const place = [state.format, state.target, state.op].map(encodeURIComponent).join("/").replace(/\/+$/, "");
  history.replaceState(null, "", "#" + place + (state.query ? "?" + encodeURIComponent(state.query) : ""));
  draw();
}

function fromAddress() {
  const [place, query] = location.hash.slice(1).split("?");
  const [format, target, op] = place.split("/").map(decodeURIComponent);
  if (data.formats[format]) state.format = format;
  state.target = target || "";
  state.op = op || "";
  state.query = find("search").value = decodeURIComponent(query || "");
}

unpack().then((found) => {
  data = found;
  for (const device of data.devices) find("device").append(element("option", { value: device.id }, device.title));
  find("search").addEventListener("input", (event) => { state.query = event.target.value; update(); });
  find("device").addEventListener("change", (event) => {
    state.device = event.target.value;
    const device = data.devices.find((one) => one.id === state.device);
    const has = (format) => targetsOf(device).some((one) => one.format === format);
    if (device && !has(state.format)) state.format = (targetsOf(device)[0] || { format: state.format }).format;
    draw();
  });
  find("differ").addEventListener("change", (event) => { state.differ = event.target.checked; draw(); });
  addEventListener("hashchange", () => { fromAddress(); draw(); });
  fromAddress();
  draw();
  document.body.dataset.ready = "yes";
});

const targetsOf = (device) => data.targets.filter((one) => device && device.targets.some((t) => t.id === one.id));
