"use strict";
// Spectra: eigenvalues, their t-th powers, and S(t). One is chosen by layer and step; others can be
// kept beside it, of other layers, steps and runs.

const spectra = { known: [], chosen: null, kept: [], time: 0 };

// What stands for one spectrum: places of its run, step and layer.
const at = (run, step, layer) => ({ run, step, layer });
const isSame = (a, b) => a.run === b.run && a.step === b.step && a.layer === b.layer;
const spectrumOf = ({ run, step, layer }) => run.spectra[step][layer];

function spectrum() {
  const place = byId("spectrum");
  spectra.known = runs.filter((run) => run.times.length && run.spectra.some((step) => step.some(Boolean)));
  if (!spectra.known.length) return leaveOut(place);
  const run = spectra.known[0];
  const last = lastStep(run);
  spectra.time = nearestIndex(run.times, run.t);
  spectra.chosen = at(run, last, run.spectra[last].findLastIndex(Boolean));
  const [controls, keepers, body] = [html("div", { class: "controls" }), html("div", { class: "controls" }), html("div", { id: "spectra" })];
  place.append(controls, keepers);
  chooseRun(0, controls);
  keepers.append(...keepButtons());
  place.append(body);
  drawSpectra();
  afterResize.listen(drawSpectra);
  stepChosen.listen((step) => moveTo(byId("spectrum-step"), nearestIndex(spectra.chosen.run.steps, step)));
}

const lastStep = (run) => run.spectra.findLastIndex((step) => step.some(Boolean));

function chooseRun(index, controls) {
  const run = spectra.known[index];
  const [time, chosen] = [nearestIndex(run.times, spectra.chosen.run.times[spectra.time]), spectra.chosen];
  const step = chosen.run === run ? chosen.step : lastStep(run);
  const layer = Math.max(0, run.layers.indexOf(chosen.run.layers[chosen.layer]));
  Object.assign(spectra, { time, chosen: at(run, step, layer) });
  const choices = select(run.layers.map(layerName), (i) => change({ layer: i }));
  const titles = select(spectra.known.map((one) => one.title), (i) => chooseRun(i, controls));
  choices.id = "spectrum-layer";
  choices.value = layer;
  titles.value = index;
  controls.replaceChildren(...(spectra.known.length > 1 ? [control("run", titles)] : []),
    control("layer", choices),
    slider("spectrum-step", run.stepName, run.steps.length, step, (i) => {
      change({ step: i });
      return run.names ? run.names[i] : String(run.steps[i]);
    }),
    slider("spectrum-t", "t", run.times.length, time, (i) => {
      spectra.time = i;
      drawSpectra();
      return tickText(run.times[i]);
    }));
}

function change(what) {
  spectra.chosen = { ...spectra.chosen, ...what };
  drawSpectra();
}

function keepButtons() {
  const keep = (...more) => {
    for (const one of more) if (spectrumOf(one) && !spectra.kept.some((other) => isSame(one, other))) spectra.kept.push(one);
    drawSpectra();
  };
  const { stepName } = spectra.chosen.run;
  const some = () => {
    const { run, layer } = spectra.chosen;
    const last = run.steps.length - 1;
    return [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * last)))].map((k) => at(run, k, layer));
  };
  const ofLayers = () => spectra.chosen.run.layers.map((_, i) => at(spectra.chosen.run, spectra.chosen.step, i));
  const ofRuns = () => spectra.known.map((run) => at(run, nearestIndex(run.steps, spectra.chosen.run.steps[spectra.chosen.step]),
    run.layers.indexOf(spectra.chosen.run.layers[spectra.chosen.layer]))).filter(({ layer }) => layer >= 0);
  return [
    html("span", { class: "soft" }, "Compare:"),
    button("keep this curve", () => keep(spectra.chosen), { id: "spectrum-keep" }),
    layers.length > 1 ? button("all layers", () => keep(...ofLayers()), { id: "spectrum-layers" }) : "",
    spectra.known.some((run) => run.steps.length > 1) ? button(`some ${stepName}s`, () => keep(...some()), { id: "spectrum-steps" }) : "",
    spectra.known.length > 1 ? button("all runs", () => keep(...ofRuns()), { id: "spectrum-runs" }) : "",
    button("none", () => { spectra.kept = []; drawSpectra(); }, { id: "spectrum-clear", class: "plain" }),
  ];
}

// The chosen spectrum and those that are kept beside it, with names and colours.
function shownSpectra() {
  const { chosen, kept } = spectra;
  const all = [...(spectrumOf(chosen) && !kept.some((one) => isSame(one, chosen)) ? [chosen] : []), ...kept];
  const names = all.map(({ run, layer }) => run.layers[layer]);
  const own = palette("curve", all.length);
  return all.map((one, i) => ({
    ...one, spectrum: spectrumOf(one), t: one.run.times[nearestIndex(one.run.times, chosen.run.times[spectra.time])],
    colour: new Set(names).size === all.length ? layerColour(names[i]) : own(i), dash: dashOf(runs.indexOf(one.run)),
    name: `${layerName(names[i])}, ${stepText(one.run, one.run.steps[one.step])}${runs.length > 1 ? `, ${one.run.title}` : ""}`,
    isChosen: isSame(one, chosen),
  }));
}

const entropyAt = (one) => one.spectrum[2][one.run.times.indexOf(one.t)];
const limitOf = (one) => Math.log(one.spectrum[0]) / Math.log(one.run.base);

function drawSpectra() {
  const body = byId("spectra");
  if (!body) return; // the controls are being made
  const { run, step, layer } = spectra.chosen;
  const shown = shownSpectra();
  const chosen = shown.find((one) => one.isChosen);
  const charts = html("div", { class: "pair" });
  body.replaceChildren(chosen ? answer(chosen) : missing(
    `Layer ${layerName(run.layers[layer])} has no spectrum at ${stepText(run, run.steps[step])}: ` +
    "not all of its eigenvalues were computed."));
  if (!shown.length) return;
  body.append(charts);
  eigenvalueChart(charts, shown);
  entropyChart(charts, shown);
  if (spectra.kept.length) body.append(curveTable(shown));
}

function answer(one) {
  const [n, sigma] = one.spectrum;
  const value = entropyAt(one);
  return html("p", { class: "answer", id: "spectrum-answer", "data-value": value },
    `S(${tickText(one.t)}) = ${number(value)} ${one.run.unit} `,
    html("small", {}, `of at most ${number(limitOf(one), 2)}; ${n} samples${isNumber(sigma) ? `, sigma = ${tickText(Number(sigma.toPrecision(3)))}` : ""}`));
}

const wide = (width) => clamp(0.5 * width, 230, 340);

function eigenvalueChart(place, shown) {
  const n = Math.max(2, ...shown.map((one) => one.spectrum[0]));
  const chosen = shown.find((one) => one.isChosen);
  const t = shown[0].t;
  const plot = chart({
    place, title: `Eigenvalues, and their powers to t = ${tickText(t)}`,
    x: { domain: [1, n], log: true, label: "rank of the eigenvalue" },
    y: { domain: [0, 1.03], label: "eigenvalue" },
    heightOf: wide,
  });
  const powers = (one, exponent) =>
    one.run.ranks[one.spectrum[0]].map((rank, i) => [rank, isNumber(one.spectrum[3][i]) ? one.spectrum[3][i] ** exponent : null]);
  if (chosen) plot.marks.append(curve(plot, powers(chosen, 1), { stroke: "var(--quiet)" }));
  for (const one of shown) plot.marks.append(curve(plot, powers(one, one.t), strokeOf(one, shown)));
  plot.marks.append(svg("text", { x: plot.right, y: plot.top + 12, "text-anchor": "end" }, "grey: t = 1"));
}

const strokeOf = (one, shown) =>
  ({ stroke: one.colour, "stroke-dasharray": one.dash, class: one.isChosen && shown.length > 1 ? "chosen" : null });

function entropyChart(place, shown) {
  const most = extent(shown.map(limitOf));
  const [low, high] = extent([0, ...most, ...shown.flatMap((one) => one.spectrum[2])]);
  const times = extent(shown.flatMap((one) => one.run.times));
  const plot = chart({
    place, title: shown.length > 1 ? "Entropies against t" : "Entropy against t",
    x: { domain: times, log: true, label: "diffusion time t" },
    y: { domain: padded([low, high]), label: `S(t), ${unitOf(shown)}` },
    heightOf: wide,
  });
  plot.marks.append(
    svg("line", { class: "limit", x1: plot.left, x2: plot.right, y1: plot.Y(most[1]), y2: plot.Y(most[1]) }),
    svg("text", { x: plot.right, y: plot.Y(most[1]) + 14, "text-anchor": "end" }, "log n"));
  for (const one of shown) {
    plot.marks.append(curve(plot, one.run.times.map((t, i) => [t, one.spectrum[2][i]]), strokeOf(one, shown)));
    if (isNumber(entropyAt(one))) {
      plot.marks.append(svg("circle", { class: "moment", cx: plot.X(one.t), cy: plot.Y(entropyAt(one)), r: 5, fill: one.colour }));
    }
  }
  const { times: ofChosen } = spectra.chosen.run;
  const timeOf = (event) => nearestIndex(ofChosen.map(plot.X), pointerIn(plot, event)[0]);
  plot.marks.append(hitArea(plot, {
    pointermove: (event) => listEntropies(shown, ofChosen[timeOf(event)], event),
    pointerleave: hideTooltip,
    click: (event) => moveTo(byId("spectrum-t"), timeOf(event)),
  }));
}

function listEntropies(shown, t, event) {
  const rows = shown.map((one) => [one.colour, one.dash, one.name, one.spectrum[2][nearestIndex(one.run.times, t)], one.isChosen]);
  rows.sort((a, b) => (b[3] ?? -Infinity) - (a[3] ?? -Infinity));
  showTooltip(event, `t = ${tickText(t)}`, rows.slice(0, MOST_LISTED).map((row) => [...row.slice(0, 3), number(row[3]), row[4]]));
}

// What is compared, with its values, and a way out of the comparison for each.
function curveTable(shown) {
  const drop = (one) => () => {
    spectra.kept = spectra.kept.filter((other) => !isSame(one, other));
    drawSpectra();
  };
  const heads = ["", `S(${tickText(shown[0].t)}), ${unitOf(shown)}`, "at most", "samples", "sigma", ""];
  const rows = shown.map((one) => html("tr", { class: one.isChosen ? "differs" : null },
    html("th", { scope: "row" }, swatch(one.colour, one.dash), " ", one.name),
    ...[number(entropyAt(one)), number(limitOf(one), 2), one.spectrum[0], isNumber(one.spectrum[1]) ? tickText(Number(one.spectrum[1].toPrecision(3))) : ""]
      .map((value, i) => html("td", { class: "number", "data-head": heads[i + 1] }, String(value))),
    html("td", {}, spectra.kept.some((other) => isSame(one, other))
      ? button("remove", drop(one), { class: "plain", "aria-label": `remove ${one.name}` }) : "")));
  return scrolling("Spectra beside each other", html("table", { id: "spectrum-curves", class: "folds" },
    html("thead", {}, html("tr", {}, ...heads.map((text, i) => html("th", { scope: "col", class: i && i < 5 ? "number" : null }, text)))),
    html("tbody", {}, ...rows)));
}
