"use strict";
// What all parts of the page draw with. Texts become text nodes, never HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs;

// Distinguishable for colour-blind eyes, and dark enough for lines on white (after Okabe and Ito).
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b5528f", "#3aa0d8", "#b87f00", "#1c2430", "#7a5195"];
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30"];
const DASHES = ["", "7 4", "2 4", "9 3 2 3", "12 5", "4 2"];

const MEASURES = {
  dse: "Entropy, DSE(Z)",
  dsmi_y: "About the labels, DSMI(Z;Y)",
  dsmi_y_adjusted: "The same, adjusted, DSMI(Z;Y)",
  dsmi_x: "About the input, DSMI(Z;X)",
  dsmi_x_adjusted: "The same, adjusted, DSMI(Z;X)",
  dsmi_previous: "About the layer before",
  dsmi_previous_adjusted: "The same, adjusted",
};

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

// A colour of a scale, at a share from 0 to 1.
function shade(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const channel = (k) => {
    const [a, b] = [low, low + 1].map((i) => parseInt(VIRIDIS[i].slice(1 + 2 * k, 3 + 2 * k), 16));
    return Math.round(a + (b - a) * (at - low));
  };
  return `rgb(${channel(0)}, ${channel(1)}, ${channel(2)})`;
}

// Few things get colours of their own, more a scale.
const colourOf = (index, count) =>
  count <= COLOURS.length ? COLOURS[index] : shade((0.9 * index) / (count - 1));

// Layers of all runs by name, in the order of the first run that has them.
const layers = [...new Set(runs.flatMap((run) => run.layers))];
const layerColour = (name) => colourOf(layers.indexOf(name), layers.length);
const layerName = (name) => name || "(whole model)";

function number(value, digits = 4) {
  if (value === null || value === undefined) return "no value";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(2);
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : value.toFixed(digits);
}

const stepText = (run, step) =>
  run.names ? run.names[run.steps.indexOf(step)] : `${run.stepName} ${step}`;

const isNumber = (value) => typeof value === "number";

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
  const room = high > low ? 0.06 * (high - low) : Math.max(0.5 * Math.abs(high), 0.1);
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

function linearTicks([low, high], whole = false) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  let size = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  if (whole) size = Math.max(1, Math.round(size));
  const ticks = [];
  for (let k = Math.ceil(low / size); k * size <= high + 1e-9 * size; k++) {
    ticks.push([k * size, String(Number((k * size).toPrecision(8)))]);
  }
  return ticks;
}

function logTicks([low, high]) {
  const ticks = [];
  for (let k = Math.ceil(Math.log10(low) - 1e-9); 10 ** k <= high * 1.000001; k++) {
    ticks.push([10 ** k, String(Number((10 ** k).toPrecision(3)))]);
  }
  return ticks;
}

// From values to pixels, with ticks.
function scale(domain, pixels, { log = false, whole = false } = {}) {
  const f = log ? Math.log : (v) => v;
  const [low, high] = domain.map(f);
  const span = high - low || 1;
  const at = (value) => pixels[0] + ((f(value) - low) / span) * (pixels[1] - pixels[0]);
  return Object.assign(at, { ticks: log ? logTicks(domain) : linearTicks(domain, whole) });
}

// Axes with their labels, and a group for what is drawn between them.
function chart({ title, x, y, width = 440, height = 270 }) {
  const [left, right, top, bottom] = [58, width - 12, 10, height - 44];
  const X = scale(x.domain, [left, right], x);
  const Y = scale(y.domain, [bottom, top], y);
  const marks = svg("g");
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  for (const [value, text] of Y.ticks) {
    root.append(
      svg("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }),
      svg("text", { x: left - 7, y: Y(value) + 4, "text-anchor": "end" }, text));
  }
  for (const [value, text] of X.ticks) {
    root.append(
      svg("line", { class: "axis", x1: X(value), x2: X(value), y1: bottom, y2: bottom + 4 }),
      svg("text", { x: X(value), y: bottom + 17, "text-anchor": "middle" }, text));
  }
  const middle = (top + bottom) / 2;
  root.append(
    svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    svg("text", { class: "label", x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, x.label),
    svg("text", { class: "label", x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, y.label),
    marks);
  const figure = html("figure", {}, html("figcaption", {}, title), root);
  return { figure, root, marks, X, Y, left, right, top, bottom, width };
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

// Where in a drawing the pointer is, in its own units.
function pointerIn(plot, event) {
  const box = plot.root.getBoundingClientRect();
  return [((event.clientX - box.left) * plot.width) / box.width, ((event.clientY - box.top) * plot.width) / box.width];
}

function showTooltip(event, heading, rows) {
  const tip = byId("tooltip");
  tip.replaceChildren(html("b", {}, heading), ...rows.map(([colour, dash, name, value]) =>
    html("div", {}, swatch(colour, dash), html("span", {}, name), html("span", {}, value))));
  tip.hidden = false;
  const [w, h] = [tip.offsetWidth, tip.offsetHeight];
  const beside = event.clientX + 16 + w < innerWidth ? event.clientX + 16 : event.clientX - 16 - w;
  tip.style.left = `${Math.max(4, beside)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY - h / 2, innerHeight - h - 8))}px`;
}

const hideTooltip = () => { byId("tooltip").hidden = true; };

const swatch = (colour, dash = "") =>
  svg("svg", { width: 22, height: 10, viewBox: "0 0 22 10", "aria-hidden": "true" },
    svg("line", { x1: 1, x2: 21, y1: 5, y2: 5, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }));

const missing = (text) => html("p", { class: "missing" }, text);

// Which layers and runs are not shown; marks carry data-layer and data-run.
const hidden = { layer: new Set(), run: new Set() };

const isShown = (layer, run) => !hidden.layer.has(layer) && !hidden.run.has(run);

function applyHidden() {
  for (const node of document.querySelectorAll("[data-layer], [data-run]")) {
    const { layer, run } = node.dataset;
    node.classList.toggle("off", !isShown(layer, run === undefined ? run : Number(run)));
  }
}

// A control with its name, and a slider that shows where it stands.
const control = (name, ...inputs) => html("label", {}, name, ...inputs);

function select(names, onChange) {
  const options = names.map((name, i) => html("option", { value: i }, name));
  return html("select", { change: (event) => onChange(Number(event.target.value)) }, ...options);
}
