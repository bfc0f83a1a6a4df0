"use strict";
// Differences between runs: of a measure, a layer and a step that they have in common.

const comparison = { kind: null, layer: null, step: null };

// The runs that have a value with a sampling error of this measure and layer, at each step.
function measuredRuns(kind, layer) {
  const lines = linesOf(kind).filter((line) => line.layer === layer && line.over === "samples");
  const steps = [...new Set(lines.flatMap((line) => line.run.steps))].sort((a, b) => a - b);
  const at = (step) => lines.map((line) => ({ ...line, at: line.run.steps.indexOf(step) }))
    .map((line) => ({ ...line, value: line.values[line.at], error: line.errors[line.at] })).filter(isMeasured);
  return steps.map((step) => [step, at(step)]).filter(([, known]) => known.length > 1);
}

function comparisons() {
  const place = byId("comparisons");
  const known = Object.keys(MEASURES)
    .map((kind) => [kind, layers.filter((layer) => measuredRuns(kind, layer).length)]).filter(([, some]) => some.length);
  if (!known.length) return leaveOut(place);
  const controls = html("div", { class: "controls" }), body = html("div", { id: "differences", "aria-live": "polite" });
  place.append(controls, body);
  chooseMeasure(0);
  afterHiding.listen(drawDifferences);
  stepChosen.listen((step) => moveTo(byId("comparison-step"), nearestIndex(comparison.steps.map(([one]) => one), step)));

  function chooseMeasure(k) {
    const [kind, some] = known[k];
    const layer = some.includes(comparison.layer) ? comparison.layer : some[some.length - 1];
    comparison.kind = kind;
    const measures = select(known.map(([one]) => MEASURES[one]), chooseMeasure);
    const choices = select(some.map(layerName), (i) => chooseLayer(some[i]));
    measures.id = "comparison-measure";
    choices.id = "comparison-layer";
    measures.value = k;
    choices.value = some.indexOf(layer);
    const focused = document.activeElement && document.activeElement.id;
    controls.replaceChildren(control("measure", measures), control("layer", choices), html("span", { id: "comparison-steps" }));
    if (byId(focused)) byId(focused).focus();
    chooseLayer(layer);
  }

  function chooseLayer(layer) {
    const steps = measuredRuns(comparison.kind, layer);
    const most = Math.max(...steps.map(([, some]) => some.length));
    const before = steps.findIndex(([step]) => step === comparison.step);
    Object.assign(comparison, { layer, steps });
    const { stepName } = steps[0][1][0].run;
    byId("comparison-steps").replaceChildren(slider("comparison-step", stepName, steps.length,
      before >= 0 ? before : steps.findLastIndex(([, some]) => some.length === most), (i) => {
        comparison.at = steps[i];
        comparison.step = steps[i][0];
        drawDifferences();
        return String(comparison.step);
      }));
  }
}

function drawDifferences() {
  const { kind, at: [, all] } = comparison;
  const shown = all.filter((line) => isShown(line.layer, line.r));
  const pairs = shown.flatMap((b, i) => shown.slice(0, i).map((a) => [a, b]));
  const differences = compared(pairs);
  const without = runs.filter((run, r) => !hidden.run.has(r) && !all.some((line) => line.r === r));
  byId("differences").replaceChildren(
    html("p", { class: "answer", id: "ties" }, tieText(differences)),
    differences.length ? scrolling("Differences between runs", differenceTable(differences, unitOfKind(kind, shown))) : "",
    without.length ? html("p", { class: "help" }, `Without a sampling error here: ${without.map((run) => run.title).join(", ")}.`) : "");
}

function tieText(differences) {
  if (!differences.length) return "Fewer than two of the runs that are shown have this value.";
  const names = ({ a, b }) => `${a.run.title} and ${b.run.title}`;
  const [ties, others] = [true, false].map((isTie) => differences.filter((one) => one.isTie === isTie));
  if (!ties.length) return differences.length === 1 ? `${names(others[0])} differ.` : "All runs differ from each other.";
  return `No difference is shown between ${ties.map(names).join("; ")}.`;
}

function differenceTable(differences, unit) {
  const heads = ["runs", `difference, ${unit}`, `${levelText} interval`, "p", "p, Holm", "verdict"];
  const rows = differences.map((one) => html("tr", { class: one.isTie ? null : "differs" },
    html("th", { scope: "row" }, `${one.b.run.title} − ${one.a.run.title}`),
    ...[number(one.value), `${number(one.low)} to ${number(one.high)}`, pText(one.p), pText(one.holm)]
      .map((text, i) => html("td", { class: "number", "data-head": heads[i + 1] }, text)),
    html("td", { "data-head": "verdict" }, one.isTie ? "tie" : "differ")));
  return html("table", { id: "difference-table", class: "folds" },
    html("thead", {}, html("tr", {}, ...heads.map((text, i) => html("th", { scope: "col", class: i && i < 5 ? "number" : null }, text)))),
    html("tbody", {}, ...rows));
}
