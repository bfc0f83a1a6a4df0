"use strict";
// Curves over the steps: one panel a measure, one a scalar such as loss; all share a cross-hair.
// Of a single step there are no curves: its panels have the layers one below the other.

const panels = [];

// So many values are listed at the pointer, the nearest ones.
const MOST_LISTED = 12;

// With more curves in a panel, only the curve that stands out has its band.
const MOST_BANDS = 8;

const hasOneStep = runs.every((run) => run.steps.length === 1);

function trajectories() {
  const place = byId("trajectories");
  panels.length = 0;
  place.replaceChildren();
  const draw = hasOneStep ? (...panel) => rowPanel(...panel, () => 0) : addPanel;
  for (const [kind, title] of Object.entries(MEASURES)) {
    const lines = linesOf(kind);
    draw(place, title, lines, unitOfKind(kind, lines));
  }
  for (const [name, lines] of scalarPanels()) {
    const [title, label] = textsOfScalar(name, lines);
    draw(place, title, withValues(lines), label);
  }
  if (!place.childElementCount) place.append(missing("There are no values to draw."));
}

// What the bands of the curves are, as far as there are any.
function bandNote() {
  const kinds = new Set(runs.flatMap((run) => Object.values(run.bands).map(([over]) => over)));
  byId("bands").append(...Object.keys(OVER).filter((over) => kinds.has(over))
    .map((over) => html("span", { "data-over": over }, bandSwatch(over), ` ${levelText} ${OVER[over]}`)));
  const most = Math.max(...Object.keys(MEASURES).map((kind) => linesOf(kind).filter((line) => line.over).length));
  if (hasOneStep && kinds.has("samples")) byId("bands").append(html("span", {}, tieNote()));
  else if (most > MOST_BANDS && kinds.size) byId("bands").append(html("span", {}, "Where there are many curves, only the one that is pointed at has its band."));
}

// The values of a measure, with their errors.
const linesOf = kept((kind) => withValues(runs.flatMap((run, r) => {
  const [over, errors = []] = run.bands[kind] || [];
  return (run.series[kind] || []).map((values, i) => ({
    kind, run, r, i, layer: run.layers[i], values, over: errors[i] ? over : undefined, errors: errors[i] || [],
  }));
})));

function unitOfKind(kind, lines) {
  if (kind.endsWith("_adjusted")) return "0 independent, 1 separate";
  return kind === "kernel_y" ? "bits" : unitOf(lines); // whatever the base of the logarithm is
}

// What alarms write of the layers beside their evidence.
const WATCHED = {
  spread: ["Spread of the directions of the rows", "0 for one direction, 1 for all"],
  scale: ["Scale of the rows", "distance from their mean"],
};

// Title and axis of what is no measure: the caller's own name, and words for what alarms write.
function textsOfScalar(name, lines) {
  const alarm = runs.flatMap((run) => run.alarmNames).find((one) => name === `${one}_evidence`);
  if (alarm) return [`Evidence of collapse (${alarm})`, "evidence, 1 is an alarm"];
  const isWatched = lines.some((line) => line.layer !== undefined && line.run.alarmNames.length);
  return (isWatched && WATCHED[name]) || [name, name];
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

// "loss" and "loss/test" share a panel, which has the name before the slash. What has the name of a
// layer after it has the colour of the layer.
function scalarPanels() {
  const found = new Map();
  runs.forEach((run, r) => {
    for (const [name, values] of Object.entries(run.scalars)) {
      const title = name.split("/")[0];
      if (!found.has(title)) found.set(title, []);
      const layer = run.layers.find((one) => name === `${title}/${one}`);
      found.get(title).push({ run, r, name, values, ...(layer === undefined ? {} : { layer, colour: layerColour(layer) }) });
    }
  });
  for (const lines of found.values()) {
    const own = lines.filter((line) => line.layer === undefined);
    const names = [...new Set(own.map((line) => line.name))];
    const others = palette("scalar", names.length - 1);
    for (const line of own) {
      const at = names.indexOf(line.name);
      line.colour = at ? others(names.length - 1 - at) : "var(--ink)";
    }
  }
  return found;
}

function addPanel(place, title, drawn, label) {
  if (!drawn.length) return;
  const names = [...new Set(drawn.map((line) => line.run.stepName))];
  const steps = [...new Set(drawn.flatMap((line) => line.run.steps))].sort((a, b) => a - b);
  const domain = extent(steps);
  if (domain[0] === domain[1]) domain[1] += 1;
  const plot = chart({
    place, title,
    x: { domain, label: names.join(" or "), whole: true },
    y: { domain: padded(extentOf(drawn)), label },
  });
  plot.marks.classList.toggle("many", drawn.filter((line) => line.over).length > MOST_BANDS);
  for (const line of drawn) plot.marks.append(drawLine(plot, line));
  plot.cross = svg("line", { class: "cross off", y1: plot.top, y2: plot.bottom });
  const hit = hitArea(plot, {
    pointermove: (event) => pointAt(plot, drawn, nearestStep(plot, drawn, event), event),
    pointerleave: leavePanels,
    click: (event) => selectStep(nearestStep(plot, drawn, event)),
  });
  plot.marks.append(plot.cross, hit, ...alarmMarks(plot));
  walkable(plot, hit, {
    label: `${title}: ${drawn.length} curve${drawn.length === 1 ? "" : "s"} over ${names.join(" or ")}`,
    count: steps.length, start: steps.length - 1, leave: leavePanels, choose: (i) => selectStep(steps[i]),
    show: (i) => pointAt(plot, drawn, steps[i], placeIn(plot, plot.X(steps[i]), (plot.top + plot.bottom) / 2), false),
  });
  scalarKeys(plot.figure, drawn);
  panels.push(plot);
}

function drawLine(plot, line) {
  const group = curve(plot, line.run.steps.map((step, i) => [step, line.values[i]]), {
    stroke: line.colour, "stroke-dasharray": dashOf(line.r), "data-layer": line.layer, "data-run": line.r,
  });
  if (line.over) {
    const points = line.run.steps.map((step, i) => [step, line.values[i], line.errors[i]]);
    group.prepend(band(plot, points, { over: line.over, fill: line.colour }));
  }
  return group;
}

function scalarKeys(figure, drawn) {
  const names = new Map(drawn.filter((line) => line.layer === undefined).map((line) => [line.name, line.colour]));
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

// Shows a step in all panels, and its values in this one.
function pointAt(plot, lines, step, event, isNear = true) {
  if (step === undefined) return "";
  crossAt(step);
  return listValues(plot, lines, step, event, isNear);
}

function crossAt(step) {
  for (const panel of panels) {
    const x = panel.X(step);
    panel.cross.setAttribute("x1", x);
    panel.cross.setAttribute("x2", x);
    panel.cross.classList.toggle("off", x < panel.left - 1 || x > panel.right + 1);
  }
}

// The values at a step from top to bottom; of many, those next to the pointer, if there is one.
function listValues(plot, lines, step, event, isNear) {
  const y = pointerIn(plot, event)[1];
  const here = lines
    .filter((line) => isShown(line.layer, line.r) && line.run.steps.includes(step))
    .map((line) => ({ line, at: line.run.steps.indexOf(step) }))
    .map((one) => ({ ...one, value: one.line.values[one.at], error: (one.line.errors || [])[one.at] }))
    .map((one) => ({ ...one, far: isNumber(one.value) ? Math.abs(plot.Y(one.value) - y) : Infinity }))
    .sort((a, b) => a.far - b.far);
  if (!here.length) return "";
  const nearest = isNear && here[0].far < 24 ? here[0].line : {};
  highlight("layer", nearest.layer);
  const rows = here.slice(0, MOST_LISTED)
    .sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity))
    .map(({ line, value, error }) => [line.colour, dashOf(line.r), line.text, withError(value, error), line === nearest]);
  const more = here.length - rows.length;
  return showTooltip(event, stepText(here[0].line.run, step) + (more > 0 ? ` (${more} more)` : ""), [...rows, ...alarmRowsAt(step)]);
}
