"use strict";
// Curves over the layers of a model: one panel a measure; all share a cross-hair.

const { layers, measures } = data;
const panels = [];
const COLOUR = "var(--accent)";

function layerCurves() {
  const place = byId("measures");
  panels.length = 0;
  place.replaceChildren(...(measures.length ? [] : [missing("There are no values to draw.")]));
  measures.forEach((measure) => layerPanel(place, measure));
}

function layersHelp() {
  const hasErrors = measures.some(({ errors }) => errors.some(isNumber));
  const hasTests = measures.some(({ pValues }) => pValues.some(isNumber));
  byId("measures-help").textContent = [
    "From left to right, the layers in their order.",
    hasErrors ? `A band is the ${levelText} interval over other prompts. Numbers have their standard error after the ±.` : "",
    hasTests ? "A thick line at the foot joins neighbours that do not differ by a paired test (Holm's correction over the neighbours of a panel)." : "",
    "Point at a panel, or press the arrow keys, for the numbers of a layer.",
  ].filter(Boolean).join(" ");
}

const titleOf = ({ name, isWithin }) => (isWithin ? `${name}, within prompts` : name);
const inUnit = (measure) => [titleOf(measure), measure.unit].filter(Boolean).join(", ");
const valueOf = ({ values, standardErrors }, i) => plusMinus(values[i], standardErrors[i]);

function layerPanel(place, measure) {
  const { values, errors, chance } = measure;
  const known = isNumber(chance) ? [chance] : [];
  const plot = chart({
    place, title: titleOf(measure),
    x: { domain: [0, Math.max(1, layers.length - 1)], label: "layer", names: layers },
    y: { domain: padded(extentOf([{ values, errors }, { values: known }])), label: measure.unit },
  });
  const points = layers.map((layer, i) => [i, values[i], errors[i]]);
  plot.marks.append(
    ...ties(plot, measure),
    band(plot, points, { over: "samples", fill: COLOUR }),
    curve(plot, points, { stroke: COLOUR }),
    ...known.map((value) => svg("line", { class: "limit", x1: plot.left, x2: plot.right, y1: plot.Y(value), y2: plot.Y(value) })),
    ...points.filter(([, value]) => isNumber(value)).map(([x, value]) => svg("circle", { cx: plot.X(x), cy: plot.Y(value), r: 3, fill: COLOUR })));
  plot.cross = svg("line", { class: "cross off", y1: plot.top, y2: plot.bottom });
  const nearest = (event) => nearestIndex(layers.map((layer, i) => plot.X(i)), pointerIn(plot, event)[0]);
  const hit = hitArea(plot, { pointermove: (event) => showLayer(measure, nearest(event), event), pointerleave: leaveLayers });
  plot.marks.append(plot.cross, walkable(plot, hit, {
    label: `${measure.name}: a value for each of ${layers.length} layers`, count: layers.length, leave: leaveLayers,
    show: (i) => showLayer(measure, i, placeIn(plot, plot.X(i), (plot.top + plot.bottom) / 2)),
  }));
  panels.push(plot);
}

// Thick lines at the foot between neighbours that were compared and do not differ.
const FOOT = 5;

function ties({ X, bottom }, { pValues }) {
  return pValues.map((p, i) => [p, i]).filter(([p]) => isNumber(p) && p > 1 - data.level)
    .map(([, i]) => svg("line", { class: "tie", x1: X(i - 1), y1: bottom - FOOT, x2: X(i), y2: bottom - FOOT }));
}

function showLayer(measure, i, event) {
  for (const panel of panels) {
    panel.cross.setAttribute("x1", panel.X(i));
    panel.cross.setAttribute("x2", panel.X(i));
    panel.cross.classList.remove("off");
  }
  const p = measure.pValues[i];
  return showTooltip(event, layers[i], [
    [COLOUR, "", inUnit(measure), valueOf(measure, i)],
    ...(isNumber(measure.chance) ? [["none", "", "by chance", number(measure.chance)]] : []),
    ...(isNumber(p) ? [["none", "", "p from the layer before", pText(p)]] : []),
  ]);
}

function leaveLayers() {
  hideTooltip();
  panels.forEach((panel) => panel.cross.classList.add("off"));
}

// Every value of every layer, with its standard error.
function everyValue() {
  const cell = (measure, i) => html("td", { class: "number", "data-head": inUnit(measure) }, valueOf(measure, i));
  const rows = layers.map((layer, i) => html("tr", {}, html("th", { scope: "row" }, layer), ...measures.map((one) => cell(one, i))));
  const hasErrors = measures.some(({ standardErrors }) => standardErrors.some(isNumber));
  const notes = [...(hasErrors ? ["Value ± standard error over other prompts."] : []), ...data.footnotes];
  byId("every").append(...notes.map((text) => html("p", { class: "help" }, text)));
  byId("every").append(scrolling("All values", html("table", { id: "layer-table", class: "folds" },
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "layer"),
      ...measures.map((one) => html("th", { scope: "col", class: "number" }, inUnit(one))))),
    html("tbody", {}, ...rows))));
}

function aboutMeasures() {
  const rows = measures.filter(({ about }) => about)
    .map(({ name, about }) => html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, about)));
  if (!rows.length) return leaveOut(byId("about"));
  byId("about").append(scrolling("What is measured", html("table", {}, html("tbody", {}, ...rows))));
}
