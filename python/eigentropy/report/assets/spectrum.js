"use strict";
// The spectrum of a layer at a step: eigenvalues, their t-th powers, and S(t) at the slider's t.

const WIDE = { width: 640, height: 330 };
const spectrumState = { run: 0, layer: 0, step: 0, time: 0 };

function spectrum() {
  const place = byId("spectrum");
  const known = runs.filter((run) => run.spectra.some((at) => at.some(Boolean)));
  if (!known.length) {
    place.append(missing('There are no spectra: record a run with Monitor(..., record="runs/a").'));
    return;
  }
  const controls = html("div", { class: "controls" });
  const body = html("div");
  place.append(controls, body);
  const redraw = () => drawSpectrum(known[spectrumState.run], body);
  chooseRun(0);
  onSelectStep((step) => {
    moveTo(stepSlider(), nearestIndex(known[spectrumState.run].steps, step));
  });

  function stepSlider() { return byId("spectrum-step"); }

  function chooseRun(index) {
    const run = known[index];
    const lastStep = run.spectra.findLastIndex((at) => at.some(Boolean));
    const usual = nearestIndex(run.times, run.t);
    Object.assign(spectrumState, { run: index, layer: lastLayer(run, lastStep), step: lastStep, time: usual });
    const layer = select(run.layers.map(layerName), (i) => { spectrumState.layer = i; redraw(); });
    const choice = select(known.map((one) => one.title), chooseRun);
    layer.id = "spectrum-layer";
    layer.value = spectrumState.layer;
    choice.value = index;
    controls.replaceChildren(...(known.length > 1 ? [control("run", choice)] : []),
      control("layer", layer),
      slider("spectrum-step", run.stepName, run.steps.length, lastStep, (i) => {
        spectrumState.step = i;
        redraw();
        return run.names ? run.names[i] : String(run.steps[i]);
      }),
      slider("spectrum-t", "t", run.times.length, usual, (i) => {
        spectrumState.time = i;
        redraw();
        return String(run.times[i]);
      }));
  }
}

const lastLayer = (run, step) => run.spectra[step].findLastIndex(Boolean);

const nearestIndex = (values, value) =>
  values.reduce((best, one, i) => (Math.abs(one - value) < Math.abs(values[best] - value) ? i : best), 0);

function moveTo(input, index) {
  if (!input) return;
  input.value = index;
  input.dispatchEvent(new Event("input"));
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

function drawSpectrum(run, body) {
  const { layer, step, time } = spectrumState;
  const known = run.spectra[step][layer];
  if (!known) {
    body.replaceChildren(missing(
      `Layer ${layerName(run.layers[layer])} has no spectrum at ${stepText(run, run.steps[step])}: ` +
      "not all of its eigenvalues were computed."));
    return;
  }
  const [n, sigma, entropies, eigenvalues] = known;
  const t = run.times[time];
  const most = Math.log(n) / Math.log(run.base);
  const answer = html("p", { class: "answer", id: "spectrum-answer", "data-value": entropies[time] },
    `S(${t}) = ${number(entropies[time])} ${run.unit} `,
    html("small", {}, `of at most ${number(most, 2)}; ${n} samples, sigma = ${Number(sigma.toPrecision(3))}`));
  body.replaceChildren(answer, html("div", { class: "pair" },
    eigenvalueChart(run, n, eigenvalues, t, layerColour(run.layers[layer])).figure,
    entropyChart(run, entropies, time, most, layerColour(run.layers[layer])).figure));
}

function eigenvalueChart(run, n, eigenvalues, t, colour) {
  const ranks = run.ranks[n];
  const plot = chart({
    title: `Eigenvalues, and their powers to t = ${t}`,
    x: { domain: [1, Math.max(2, n)], log: true, label: "rank of the eigenvalue" },
    y: { domain: [0, 1.03], label: "eigenvalue" },
    ...WIDE,
  });
  const powers = (exponent) => ranks.map((rank, i) => [rank, eigenvalues[i] ** exponent]);
  plot.marks.append(
    curve(plot, powers(1), { stroke: "#8a94a3" }),
    curve(plot, powers(t), { stroke: colour }),
    svg("text", { x: plot.right, y: plot.top + 12, "text-anchor": "end" }, "grey: t = 1"));
  return plot;
}

function entropyChart(run, entropies, time, most, colour) {
  const plot = chart({
    title: "Entropy against t",
    x: { domain: extent(run.times), log: true, label: "diffusion time t" },
    y: { domain: [0, 1.05 * most], label: `S(t), ${run.unit}` },
    ...WIDE,
  });
  plot.marks.append(
    svg("line", { class: "limit", x1: plot.left, x2: plot.right, y1: plot.Y(most), y2: plot.Y(most) }),
    svg("text", { x: plot.right, y: plot.Y(most) + 14, "text-anchor": "end" }, "log n"),
    curve(plot, run.times.map((t, i) => [t, entropies[i]]), { stroke: colour }),
    svg("circle", { cx: plot.X(run.times[time]), cy: plot.Y(entropies[time]), r: 5.5, fill: colour, stroke: "#fff", "stroke-width": 2 }));
  return plot;
}
