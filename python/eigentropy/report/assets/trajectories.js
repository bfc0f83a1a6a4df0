"use strict";
// Curves over the steps: one panel a measure, one a scalar such as loss; all share a cross-hair.

const panels = [];

// Other than those of the layers.
const SCALAR_COLOURS = ["#1c2430", "#a3468f", "#7f8a99", "#946b00", "#4c6a2f", "#8c2d1c"];

function trajectories() {
  const place = byId("trajectories");
  for (const [kind, title] of Object.entries(MEASURES)) {
    const lines = runs.flatMap((run, r) =>
      (run.series[kind] || []).map((values, i) => ({ run, r, layer: run.layers[i], values })));
    addPanel(place, title, lines, kind.endsWith("_adjusted") ? "0 independent, 1 separate" : unitOf(lines));
  }
  for (const [title, lines] of scalarPanels()) addPanel(place, title, lines, title);
  if (!panels.length) place.append(missing("There are no values to draw."));
}

const unitOf = (lines) => [...new Set(lines.map((line) => line.run.unit))].join(" or ");

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
    for (const line of lines) line.colour = SCALAR_COLOURS[names.indexOf(line.name) % SCALAR_COLOURS.length];
  }
  return found;
}

function addPanel(place, title, lines, label) {
  const drawn = lines.filter((line) => line.values && line.values.some(isNumber));
  if (!drawn.length) return;
  const names = [...new Set(drawn.map((line) => line.run.stepName))];
  const domain = extent(drawn.flatMap((line) => line.run.steps));
  if (domain[0] === domain[1]) domain[1] += 1;
  const plot = chart({
    title,
    x: { domain, label: names.join(" or "), whole: true },
    y: { domain: padded(extent(drawn.flatMap((line) => line.values))), label },
  });
  for (const line of drawn) {
    line.colour = line.colour || layerColour(line.layer);
    const points = line.run.steps.map((step, i) => [step, line.values[i]]);
    plot.marks.append(curve(plot, points, {
      stroke: line.colour, "stroke-dasharray": DASHES[line.r % DASHES.length],
      "data-layer": line.layer, "data-run": line.r,
    }));
  }
  plot.cross = svg("line", { class: "cross off", y1: plot.top, y2: plot.bottom });
  plot.marks.append(plot.cross, svg("rect", {
    class: "hit", x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top,
    pointermove: (event) => pointAt(plot, drawn, event),
    pointerleave: () => { hideTooltip(); panels.forEach((one) => one.cross.classList.add("off")); },
    click: (event) => selectStep(nearestStep(plot, drawn, event)),
  }));
  const keys = new Map(drawn.filter((line) => line.name).map((line) => [line.name, line.colour]));
  if (keys.size > 1) {
    plot.figure.append(html("div", { class: "keys inline" },
      ...[...keys].map(([name, colour]) => html("span", {}, swatch(colour), " ", name))));
  }
  panels.push(plot);
  place.append(plot.figure);
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
  const here = lines.filter((line) => isShown(line.layer, line.r) && line.run.steps.includes(step));
  const rows = here.map((line) => {
    const name = line.layer === undefined ? line.name : layerName(line.layer);
    const value = line.values[line.run.steps.indexOf(step)];
    const dash = DASHES[line.r % DASHES.length];
    return [line.colour, dash, runs.length > 1 ? `${name}, ${line.run.title}` : name, number(value), value];
  });
  rows.sort((a, b) => (b[4] ?? -Infinity) - (a[4] ?? -Infinity));
  showTooltip(event, stepText(here[0].run, step), rows.slice(0, 24));
}
