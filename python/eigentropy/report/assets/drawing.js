"use strict";
// What all parts of the page draw with. Texts become text nodes, never HTML.

const data = JSON.parse(document.getElementById("data").textContent);

// A function that computes a value once for each argument.
function kept(compute) {
  const known = new Map();
  return (key) => known.get(key) ?? known.set(key, compute(key)).get(key);
}

const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const html = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);

const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

// A name with its middle left out, for a drawing.
const LONGEST_NAME = 26;
const shortened = (name, most) =>
  (name.length <= most ? name : `${name.slice(0, Math.floor(0.36 * most))}…${name.slice(Math.floor(0.36 * most) + 1 - most)}`);
const shortName = (name) => shortened(name, LONGEST_NAME);

const isNumber = Number.isFinite;

function number(value, digits = 4) {
  if (!isNumber(value)) return "no value";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(2);
  if (Math.abs(value) >= 1e6) return value.toExponential(3);
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : value.toFixed(digits);
}

const levelText = `${Number((100 * data.level).toPrecision(4))} %`;

const plusMinus = (value, error) => number(value) + (isNumber(value) && isNumber(error) ? ` ± ${number(error)}` : "");

// A value with half of its interval at the page's level.
const withError = (value, error) => plusMinus(value, data.quantile * error);

// Smallest and largest of the numbers among the values.
function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!isNumber(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? [0, 1] : [low, high];
}

// A little room at both ends; a range of one value becomes one around it.
function padded([low, high]) {
  const size = Math.max(Math.abs(low), Math.abs(high));
  const isRange = high - low > 1e-9 * size;
  const room = isRange ? 0.06 * (high - low) : Math.max(0.5 * size, 0.1);
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

// A number at an axis, short.
function tickText(value) {
  const size = Math.abs(value);
  return size >= 1e6 || (size > 0 && size < 1e-3) ? value.toExponential(1).replace(".0e", "e")
    : String(Number(value.toPrecision(6)));
}

function linearTicks([low, high], whole, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  let size = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  if (whole) size = Math.max(1, Math.round(size));
  const first = Math.ceil(low / size);
  const ticks = [];
  for (let i = 0; i <= most && (first + i) * size <= high + 1e-9 * size; i++) {
    ticks.push([(first + i) * size, tickText((first + i) * size)]);
  }
  return ticks;
}

function logTicks([low, high], most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const stride = Math.max(1, Math.ceil((last - first) / most));
  const ticks = [];
  for (let k = first; k <= last; k += stride) ticks.push([10 ** k, tickText(10 ** k)]);
  return ticks;
}

// The names of 0, 1, 2 ..., or of as many of these as there is room for.
const TICK_NAME = 10;

function nameTicks(names, most) {
  const stride = Math.max(1, Math.ceil((names.length - 1) / most));
  return names.map((name, i) => [i, shortened(name, TICK_NAME)]).filter(([i]) => i % stride === 0);
}

// From values to pixels, with ticks. What lies far outside stays just outside.
const FAR = 9999;

function scale(domain, pixels, { log = false, whole = false, names = null } = {}, most = 5) {
  const f = log ? Math.log : (v) => v;
  const [low, high] = domain.map(f);
  const span = high - low || 1;
  const at = (value) => clamp(pixels[0] + ((f(value) - low) / span) * (pixels[1] - pixels[0]), -FAR, FAR);
  return Object.assign(at, { ticks: names ? nameTicks(names, most) : log ? logTicks(domain, most) : linearTicks(domain, whole, most) });
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// An empty drawing, as wide as its place has room for: texts have the same size on all screens.
function canvas(place, title, heightOf) {
  const before = place.querySelector("figure > svg"); // of the same column width: measuring takes time
  const figure = html("figure", {}, html("figcaption", {}, title));
  place.append(figure);
  const width = before ? before.viewBox.baseVal.width : Math.max(240, Math.floor(figure.clientWidth));
  const height = Math.round(heightOf(width));
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  figure.append(root);
  return { figure, root, width, height, marks: svg("g") };
}

// Axes with their labels, and a group for what is drawn between them.
function chart({ place, title, x, y, heightOf = (width) => clamp(0.62 * width, 220, 330) }) {
  const plot = canvas(place, title, heightOf);
  const { root, width, height, marks } = plot;
  const [top, bottom] = [10, height - 44];
  const Y = scale(y.domain, [bottom, top], y);
  const left = 30 + 7 * Math.max(2, ...Y.ticks.map(([, text]) => text.length));
  const right = width - 12;
  const X = scale(x.domain, [left, right], x, x.names ? Math.max(1, Math.floor(width / 120)) : clamp(Math.floor(width / 75), 2, 8));
  for (const [value, text] of Y.ticks) {
    root.append(
      svg("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }),
      svg("text", { x: left - 7, y: Y(value) + 4, "text-anchor": "end" }, text));
  }
  bottomAxis(root, X, { left, right, bottom, height }, x.label);
  const middle = (top + bottom) / 2;
  root.append(
    svg("text", { class: "label", x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, y.label),
    marks);
  return { ...plot, X, Y, left, right, top, bottom };
}

function bottomAxis(root, X, { left, right, bottom, height }, label) {
  for (const [value, text] of X.ticks) {
    root.append(
      svg("line", { class: "axis", x1: X(value), x2: X(value), y1: bottom, y2: bottom + 4 }),
      svg("text", { x: X(value), y: bottom + 17, "text-anchor": X(value) + 4 * text.length > right + 12 ? "end" : "middle" }, text));
  }
  root.append(
    svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    svg("text", { class: "label", x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, label));
}

// A path through points [x, y], interrupted where there is no value; lone points become dots.
function curve({ X, Y }, points, attributes) {
  const group = svg("g", attributes);
  let path = "", length = 0;
  points.forEach(([x, y], i) => {
    if (!isNumber(y)) { length = 0; return; }
    path += `${length ? "L" : "M"}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
    length += 1;
    if (length === 1 && !isNumber((points[i + 1] || [])[1])) {
      group.append(svg("circle", { cx: X(x), cy: Y(y), r: 3, fill: attributes.stroke, stroke: "none" }));
    }
  });
  group.append(svg("path", { class: "curve", d: path }));
  return group;
}

// The area of points [x, y, standard error] between both ends of their intervals, interrupted as the
// curve. A lone point has a line.
function band({ X, Y }, points, { over, ...attributes }) {
  const ends = points.map(([x, y, error]) => isNumber(y) && isNumber(error)
    && [-1, 1].map((sign) => `${X(x).toFixed(1)} ${Y(y + sign * data.quantile * error).toFixed(1)}`));
  let path = "", piece = [];
  for (const end of [...ends, false]) {
    if (end) piece.push(end);
    else if (piece.length) {
      path += `M${[...piece.map(([low]) => low), ...piece.reverse().map(([, high]) => high)].join("L")}Z`;
      piece = [];
    }
  }
  return svg("path", { class: `band ${over}`, d: path, ...attributes });
}

// What the bands are over; and the mark of one, for a legend.
const OVER = {
  samples: "over other samples of the data (sampling error)",
  partitions: "over random partitions only (error of the computation)",
};

const bandSwatch = (over) => svg("svg", { width: 26, height: 14, "aria-hidden": "true", stroke: "var(--accent)", fill: "var(--accent)" },
  svg("path", { class: `band ${over}`, d: "M1 2H25V12H1Z" }));

// Smallest and largest end of the bands of some lines.
const extentOf = (lines) => extent(lines.flatMap(({ values, errors = [] }) =>
  values.flatMap((value, i) => (isNumber(errors[i]) ? [value - data.quantile * errors[i], value + data.quantile * errors[i]] : [value]))));

// Takes the pointer where a drawing has its marks.
function hitArea({ left, right, top, bottom }, handlers) {
  return svg("rect", { class: "hit", x: left, y: top, width: right - left, height: bottom - top, ...handlers });
}

const KEYS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

// Lets arrow keys walk through what a mark shows: `show(index)` returns it as text. `keys` may have
// other steps for some keys, or functions from a place to the next.
function walkable(plot, mark, { label, count, start = 0, show, leave, choose = () => {}, keys = {} }) {
  plot.root.setAttribute("role", "group"); // what is within an image cannot be reached
  let index = start;
  const walk = (to) => {
    index = clamp(to, 0, count - 1);
    const text = show(index);
    for (const [name, value] of Object.entries({ valuenow: index, valuetext: text })) mark.setAttribute(`aria-${name}`, value);
  };
  return fill(mark, {
    tabindex: 0, role: "slider", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": count - 1,
    "aria-valuenow": start, "aria-valuetext": "use the arrow keys",
    focus: () => { if (mark.matches(":focus-visible")) walk(index); },
    blur: leave,
    keydown: (event) => {
      const step = { ...KEYS, ...keys }[event.key];
      if (event.key === "Enter" || event.key === " ") choose(index);
      else if (event.key === "Escape") leave();
      else if (step !== undefined) walk(typeof step === "function" ? step(index) : index + step);
      else return;
      event.preventDefault();
    },
  }, []);
}

// Where in a drawing the pointer is, in its own units; and the other way round.
function pointerIn(plot, event) {
  const box = plot.root.getBoundingClientRect();
  return [((event.clientX - box.left) * plot.width) / box.width, ((event.clientY - box.top) * plot.width) / box.width];
}

function placeIn(plot, x, y) {
  const box = plot.root.getBoundingClientRect();
  return { clientX: box.left + (x * box.width) / plot.width, clientY: box.top + (y * box.width) / plot.width };
}

// Returns what is shown as text.
function showTooltip(event, heading, rows) {
  const tip = byId("tooltip");
  tip.replaceChildren(html("b", {}, heading), ...rows.map(([colour, dash, name, value, isNearest]) =>
    html("div", { class: isNearest ? "nearest" : null }, swatch(colour, dash), html("span", {}, name), html("span", {}, value))));
  tip.hidden = false;
  const [w, h] = [tip.offsetWidth, tip.offsetHeight];
  const room = document.documentElement.clientWidth;
  const beside = event.clientX + 16 + w < room ? event.clientX + 16 : event.clientX - 16 - w;
  tip.style.left = `${clamp(beside, 4, Math.max(4, room - w - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY - h / 2, innerHeight - h - 8))}px`;
  return `${heading}: ${rows.map(([, , name, value]) => `${name} ${value}`).join(", ")}`;
}

const hideTooltip = () => { byId("tooltip").hidden = true; };

const swatch = (colour, dash = "") =>
  svg("svg", { width: 22, height: 10, viewBox: "0 0 22 10", "aria-hidden": "true" },
    svg("line", { x1: 1, x2: 21, y1: 5, y2: 5, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }));

const missing = (text) => html("p", { class: "missing" }, text);

// A section that has nothing to show is left out.
const leaveOut = (place) => place.closest("section").remove();

// A table that is scrolled where the window is narrow, by keys too.
const scrolling = (label, table) => html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);

// A control with its name.
const control = (name, ...inputs) => html("label", {}, name, ...inputs);

const button = (text, click, attributes = {}) => html("button", { type: "button", click, ...attributes }, text);

function select(names, onChange) {
  const options = names.map((name, i) => html("option", { value: i }, name));
  return html("select", { change: (event) => onChange(Number(event.target.value)) }, ...options);
}

// A slider over a list; `onMove` gets the index and returns the text beside it.
function slider(id, name, count, start, onMove) {
  const shown = html("output", { for: id });
  const input = html("input", {
    type: "range", id, min: 0, max: count - 1, step: 1, disabled: count < 2 ? "" : null,
    input: () => {
      shown.textContent = onMove(Number(input.value));
      input.setAttribute("aria-valuetext", shown.textContent);
    },
  });
  input.value = start;
  moveTo(input, start);
  return control(name, input, shown);
}

function moveTo(input, index) {
  if (!input) return;
  input.value = index;
  input.dispatchEvent(new Event("input"));
}

const nearestIndex = (values, value) =>
  values.reduce((best, one, i) => (Math.abs(one - value) < Math.abs(values[best] - value) ? i : best), 0);

// What a reader should know first; a long list is folded.
const MANY_REMARKS = 5;

function remarkList(heading, texts) {
  if (!texts.length) return;
  const list = (some) => html("ul", {}, ...some.map((text) => html("li", {}, text)));
  const more = texts.slice(MANY_REMARKS);
  byId("remarks").append(html("h2", {}, heading), list(texts.slice(0, MANY_REMARKS)),
    more.length ? html("details", {}, html("summary", {}, `${more.length} more`), list(more)) : "");
}

function footer() {
  byId("footer").textContent = `Made by eigentropy ${data.eigentropy}. This page loads nothing from anywhere.`;
}

// After the next frame everything is on the screen; tests and benchmarks read the milliseconds.
function sayWhenDrawn() {
  requestAnimationFrame(() => setTimeout(() => {
    document.documentElement.dataset.rendered = String(Math.round(performance.now()));
  }));
}
