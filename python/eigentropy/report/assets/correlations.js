"use strict";
// How scores go with what is known of the models: each coefficient with its interval over models.

const COEFFICIENTS = { pearson: "Pearson", spearman: "Spearman", weighted_tau: "weighted tau" };

const coefficientText = ([value, low, high]) => {
  if (!isNumber(value)) return "not defined";
  return value.toFixed(2) + (isNumber(low) && isNumber(high) ? ` (${low.toFixed(2)} to ${high.toFixed(2)})` : "");
};

const correlationOf = (score, target) =>
  data.correlations.find((one) => one.score === score.name && one.target === target.name);

// What stands above the figure.
function coefficients(score, target) {
  const found = correlationOf(score, target);
  if (!found) return [html("small", {}, `${target.name} over ${score.name}`)];
  const texts = Object.entries(COEFFICIENTS).map(([name, text]) => `${text} ${coefficientText(found[name])}`);
  return [texts[0], html("small", {}, ` · ${texts.slice(1).join(" · ")} · over ${found.models} models`)];
}

function correlations() {
  if (!targets.length) return leaveOut(byId("correlations"));
  const redraw = () => {
    const target = targets.includes(chosen.target) ? chosen.target : targets[0];
    const found = data.correlations.filter((one) => one.target === target.name);
    const counts = [...new Set(found.map((one) => one.models))].sort((a, b) => a - b);
    byId("correlations-help").textContent = `Of each score with ${target.name}, over ${
      counts.length > 1 ? `${counts[0]} to ${counts[counts.length - 1]}` : counts[0]} models. ${
      found.some((one) => isNumber(one.spearman[1])) ? `Intervals of ${levelText} are over other models.` : "So few models have no intervals."}`;
    byId("correlations").replaceChildren();
    for (const [name, text] of Object.entries(COEFFICIENTS)) forest(byId("correlations"), text, found, name);
    byId("correlation-table").replaceChildren(scrolling("Correlations", correlationTable(found)));
  };
  afterChoice.listen(redraw);
  afterResize.listen(redraw);
  redraw();
}

// A row for each score: its coefficient, and a bar for the interval.
const FOREST_ROW = 22;

function forest(place, title, found, name) {
  const bottom = FOREST_ROW * found.length + 12;
  const plot = canvas(place, title, () => bottom + 44);
  const texts = found.map((one) => shortName(one.score));
  const left = 14 + 7 * Math.min(LONGEST_NAME, Math.max(...texts.map((text) => text.length))), right = plot.width - 12;
  const X = scale([-1, 1], [left, right], {}, 4);
  bottomAxis(plot.root, X, { left, right, bottom, height: plot.height }, `${title} with ${found[0].target}`);
  plot.root.append(svg("line", { class: "limit", x1: X(0), x2: X(0), y1: 4, y2: bottom }), plot.marks);
  found.forEach((one, i) => {
    const [value, low, high] = one[name], y = 12 + FOREST_ROW * (i + 0.5);
    const isChosen = one.score === chosen.score.name;
    plot.root.append(svg("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }),
      svg("text", { x: left - 8, y: y + 4, "text-anchor": "end", class: isChosen ? "label" : null }, texts[i]));
    if (isNumber(low) && isNumber(high)) plot.marks.append(svg("path", { class: "bar", stroke: "var(--accent)", d: `M${X(low)} ${y}H${X(high)}` }));
    if (isNumber(value)) plot.marks.append(svg("circle", { cx: X(value), cy: y, r: isChosen ? 5.5 : 4, fill: "var(--accent)" }));
  });
  plot.root.append(plot.marks);
}

function correlationTable(found) {
  const heads = ["score", ...Object.values(COEFFICIENTS), "models"];
  const row = (one) => html("tr", {}, html("th", { scope: "row" }, one.score),
    ...[...Object.keys(COEFFICIENTS).map((name) => coefficientText(one[name])), String(one.models)]
      .map((text, i) => html("td", { class: "number", "data-head": heads[i + 1] }, text)));
  return html("table", { class: "folds" },
    html("thead", {}, html("tr", {}, ...heads.map((text, i) => html("th", { scope: "col", class: i ? "number" : null }, text)))),
    html("tbody", {}, ...found.map(row)));
}
