"use strict";
// Curves over the steps: one panel a measure, one a scalar such as loss; all share a cross-hair.
// Of a single step there are no curves: its panels have the layers one below the other.

const panels = [];

// So many values are listed at the pointer, the nearest ones.
const MOST_LISTED = 12;

const hasOneStep = runs.every((run) => run.steps.length === 1);

function trajectories() {
  const place = byId("trajectories");
  panels.length = 0;
  place.replaceChildren();
  const draw = hasOneStep ? dotPanel : addPanel;
  for (const [kind, title] of Object.entries(MEASURES)) {
    const lines = runs.flatMap((run, r) =>
      (run.series[kind] || []).map((values, i) => ({ run, r, layer: run.layers[i], values })));
    draw(place, title, withValues(lines), unitOfKind(kind, lines));
  }
  for (const [title, lines] of scalarPanels()) draw(place, title, withValues(lines), title);
  if (!place.childElementCount) place.append(missing("There are no values to draw."));
}

function unitOfKind(kind, lines) {
  if (kind.endsWith("_adjusted")) return "0 independent, 1 separate";
  return kind === "kernel_y" ? "bits" : unitOf(lines); // whatever the base of the logarithm is
}

const unitOf = (lines) => [...new Set(lines.map((line) => line.run.unit))].join(" or ");

function withValues(lines) {
  const drawn = lines.filter((line) => line.values && line.values.some(isNumber));
  for (const line of drawn) {
    line.colour = line.colour || layerColour(line.layer);
    const name = line.layer === undefined ? line.name : layerName(line.layer);
    line.text = runs.length > 1 ? `${name}, ${line.run.title}` : name;
  }
  return drawn;
}

// "loss" and "loss/test" share a panel, which has the name before the slash.
function scalarPanels() {
  const found = new Map();
  runs.forEach((run, r) => {
    for (const [name, values] of Object.entries(run.scalars)) {
      const title = name.split("/")[0];
      if (!found.has(title)) found.set(title, []);
      found.get(title).push({ run, r, name, values });
    }
  });
  for (const lines of found.values()) {
    const names = [...new Set(lines.map((line) => line.name))];
    const others = palette("scalar", names.length - 1);
    for (const line of lines) {
      const at = names.indexOf(line.name);
      line.colour = at ? others(names.length - 1 - at) : "var(--ink)";
    }
  }
  return found;
}

function addPanel(place, title, drawn, label) {
  if (!drawn.length) return;
  const names = [...new Set(drawn.map((line) => line.run.stepName))];
  const domain = extent(drawn.flatMap((line) => line.run.steps));
  if (domain[0] === domain[1]) domain[1] += 1;
  const plot = chart({
    place, title,
    x: { domain, label: names.join(" or "), whole: true },
    y: { domain: padded(extent(drawn.flatMap((line) => line.values))), label },
  });
  for (const line of drawn) {
    const points = line.run.steps.map((step, i) => [step, line.values[i]]);
    plot.marks.append(curve(plot, points, {
      stroke: line.colour, "stroke-dasharray": dashOf(line.r), "data-layer": line.layer, "data-run": line.r,
    }));
  }
  plot.cross = svg("line", { class: "cross off", y1: plot.top, y2: plot.bottom });
  plot.marks.append(plot.cross, hitArea(plot, {
    pointermove: (event) => pointAt(plot, drawn, event),
    pointerleave: leavePanels,
    click: (event) => selectStep(nearestStep(plot, drawn, event)),
  }));
  scalarKeys(plot.figure, drawn);
  panels.push(plot);
}

function scalarKeys(figure, drawn) {
  const names = new Map(drawn.filter((line) => line.name).map((line) => [line.name, line.colour]));
  if (names.size < 2) return;
  figure.append(html("div", { class: "keys inline" },
    ...[...names].map(([name, colour]) => html("span", {}, swatch(colour), " ", name))));
}

function leavePanels() {
  hideTooltip();
  highlight("layer");
  panels.forEach((one) => one.cross.classList.add("off"));
}

function nearestStep(plot, lines, event) {
  const [x] = pointerIn(plot, event);
  const steps = lines.filter((line) => isShown(line.layer, line.r)).flatMap((line) => line.run.steps);
  return steps.reduce((best, step) => (Math.abs(plot.X(step) - x) < Math.abs(plot.X(best) - x) ? step : best), steps[0]);
}

function pointAt(plot, lines, event) {
  const step = nearestStep(plot, lines, event);
  if (step === undefined) return;
  for (const panel of panels) {
    const x = panel.X(step);
    panel.cross.setAttribute("x1", x);
    panel.cross.setAttribute("x2", x);
    panel.cross.classList.toggle("off", x < panel.left - 1 || x > panel.right + 1);
  }
  listValues(plot, lines, step, event);
}

// The values at a step from top to bottom; of many, those next to the pointer.
function listValues(plot, lines, step, event) {
  const y = pointerIn(plot, event)[1];
  const here = lines
    .filter((line) => isShown(line.layer, line.r) && line.run.steps.includes(step))
    .map((line) => ({ line, value: line.values[line.run.steps.indexOf(step)] }))
    .map((one) => ({ ...one, far: isNumber(one.value) ? Math.abs(plot.Y(one.value) - y) : Infinity }))
    .sort((a, b) => a.far - b.far);
  const nearest = here[0].far < 24 ? here[0].line : {};
  highlight("layer", nearest.layer);
  const rows = here.slice(0, MOST_LISTED)
    .sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity))
    .map(({ line, value }) => [line.colour, dashOf(line.r), line.text, number(value), line === nearest]);
  const more = here.length - rows.length;
  showTooltip(event, stepText(here[0].line.run, step) + (more > 0 ? ` (${more} more)` : ""), rows);
}

// A dot for each layer's value.
const ROW = 20;

function dotPanel(place, title, drawn, label) {
  if (!drawn.length) return;
  const names = [...new Set(drawn.map((line) => line.layer ?? line.name))];
  const texts = names.map((name) => shortName(name || layerName(name)));
  const plot = canvas(place, title, () => ROW * names.length + 62);
  const left = Math.min(16 + 7 * Math.max(...texts.map((text) => text.length)), plot.width / 2);
  const [right, bottom] = [plot.width - 16, ROW * names.length + 14];
  const X = scale(padded(extent(drawn.flatMap((line) => line.values))), [left, right], {}, clamp(Math.floor(plot.width / 90), 2, 6));
  const Y = (line) => 14 + ROW * (names.indexOf(line.layer ?? line.name) + 0.5);
  texts.forEach((text, i) => plot.root.append(
    svg("line", { class: "grid", x1: left, x2: right, y1: 14 + ROW * (i + 0.5), y2: 14 + ROW * (i + 0.5) }),
    svg("text", { x: left - 10, y: 18 + ROW * (i + 0.5), "text-anchor": "end" }, text)));
  bottomAxis(plot.root, X, { left, right, bottom, height: plot.height }, label);
  plot.root.append(plot.marks);
  for (const line of drawn) {
    const value = line.values.find(isNumber);
    plot.marks.append(svg("circle", {
      class: "dot", cx: X(value), cy: Y(line), r: 5, fill: line.r ? "var(--paper)" : line.colour, stroke: line.colour,
      "stroke-dasharray": line.r ? dashOf(line.r - 1) : null, "data-layer": line.layer, "data-run": line.r,
      pointermove: (event) => showTooltip(event, stepText(line.run, line.run.steps[0]), [[line.colour, "", line.text, number(value)]]),
      pointerleave: hideTooltip,
    }));
  }
}
