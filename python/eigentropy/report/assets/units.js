"use strict";
// Units of a layer over the steps: each is a trace, from dark (early) to bright (late), with a dot
// where it is at the step of the slider; and numbers over the units.

const UNIT_PAGE = 10, NEAR_UNIT = 24;

function units() {
  const place = byId("units");
  const known = runs.map((run, r) => ({ run, r })).filter(({ run }) => run.units.length);
  const notes = runs.flatMap((run) => run.withoutUnits.map((text) => html("p", { class: "missing" }, text + (runs.length > 1 ? ` (${run.title})` : ""))));
  if (!known.length && !notes.length) return leaveOut(place);
  const controls = html("div", { class: "controls" }), classes = html("div", { class: "keys" });
  const picture = html("div", {}), numbers = html("div", {}), about = html("p", { class: "help", id: "units-about" });
  place.append(controls, classes, html("div", { class: "pair top" }, picture, numbers), about, ...notes);
  if (!known.length) return;
  const state = { run: null, of: null, at: 0, off: new Set(), timer: null, plot: null };
  chooseRun(0);
  stepChosen.listen((step) => moveTo(byId("units-step"), nearestIndex(state.of.steps, step)));
  afterResize.listen(() => { draw(); move(state.at); });

  function chooseRun(index) {
    const { run } = known[index];
    const layer = state.of && state.run.layers[state.of.layer];
    const before = run.units.findIndex((of) => run.layers[of.layer] === layer);
    Object.assign(state, { run, index });
    state.off.clear();
    classes.replaceChildren(...(run.units.some((of) => of.answers && of.coordinates) ? classKeys(state, () => move(state.at)) : []));
    chooseLayer(before >= 0 ? before : run.units.length - 1);
  }

  function chooseLayer(index) {
    const { run } = state;
    state.of = run.units[index];
    clearInterval(state.timer);
    const ofRuns = select(known.map((one) => one.run.title), chooseRun);
    const ofLayers = select(run.units.map((of) => layerName(run.layers[of.layer])), chooseLayer);
    Object.assign(ofRuns, { id: "units-run", value: state.index });
    Object.assign(ofLayers, { id: "units-layer", value: index });
    const focused = document.activeElement && document.activeElement.id;
    const { steps } = state.of, last = steps.length - 1;
    state.plot = null;
    controls.replaceChildren(...(known.length > 1 ? [control("run", ofRuns)] : []), control("layer", ofLayers),
      slider("units-step", run.stepName, steps.length, last, (i) => {
        move(i);
        return String(steps[i]);
      }),
      last > 0 ? button("Play", () => playFrom(state, "units-step", steps.length), { id: "units-play" }) : "");
    if (byId(focused)) byId(focused).focus();
    about.textContent = aboutUnits(state.of);
    byId("units-colours").hidden = !state.of.answers;
    draw();
    move(last);
  }

  function draw() {
    picture.replaceChildren();
    state.plot = state.of.coordinates ? drawUnits(picture, state, walkTo) : null;
    drawNumbers(numbers, known);
    applyOff(numbers);
  }

  function move(i) {
    state.at = i;
    if (state.plot) placeDots(state);
  }

  function walkTo(i) {
    if (i !== state.at) moveTo(byId("units-step"), i);
  }
}

function aboutUnits(of) {
  const some = (number, all, what) => (number < all ? `${number} of ${all} ${what}` : `${all} ${what}`);
  const constant = of.constant ? ` ${of.constant} of these units say the same of all samples.` : "";
  return `Drawn and measured: ${some(of.drawn.length, of.all, "units")} on ${some(of.samples, of.of, "samples")}.${constant}`;
}

// The point of a unit at a step, in pixels.
const unitAt = ({ of, plot }, i, u) => [0, 1].map((axis) => plot.scales[axis](of.coordinates[axis][i * of.drawn.length + u]));

const answerAt = ({ of }, i, u) => (of.answers ? of.answers[i * of.drawn.length + u] : null);

function drawUnits(place, state, walkTo) {
  const { of, run } = state;
  const name = `Units of layer ${layerName(run.layers[of.layer])}`;
  const plot = canvas(place, name, (width) => clamp(0.8 * width, 260, 520));
  plot.scales = sameScale(of.coordinates, plot);
  const steps = of.steps.length;
  const share = (i) => i / Math.max(1, steps - 1);
  state.plot = plot;
  plot.traces = of.drawn.map((_, u) => {
    const at = of.steps.map((_, i) => unitAt(state, i, u).map((pixel) => pixel.toFixed(1)));
    const dots = at.map(([cx, cy], i) => svg("circle", { cx, cy, r: 2.2, fill: shade(share(i)), stroke: "none" }));
    return svg("g", { class: "unit" }, svg("path", { class: "curve", d: `M${at.map((one) => one.join(" ")).join("L")}` }), ...dots);
  });
  plot.dots = of.drawn.map(() => svg("circle", { class: "now", r: 4.5 }));
  plot.root.append(plot.marks);
  plot.marks.append(...plot.traces, ...plot.dots);
  walkUnits(state, name, walkTo);
  const [first, last] = [of.steps[0], of.steps[steps - 1]];
  if (steps > 1) place.append(shadeBar(`${run.stepName} ${first} `, ` ${last}`));
  return plot;
}

// Both directions have one scale: only distances mean something.
function sameScale(columns, { width, height }) {
  const ranges = columns.map(extent), sizes = [width - 32, height - 32];
  const unit = Math.min(...ranges.map(([low, high], axis) => sizes[axis] / (high - low || 1)));
  const middles = ranges.map(([low, high]) => (low + high) / 2);
  return [(x) => width / 2 + unit * (x - middles[0]), (y) => height / 2 - unit * (y - middles[1])];
}

function placeDots(state) {
  const { of, plot, at, off, run } = state;
  const colours = palette("class", classNames(run).length);
  plot.dots.forEach((dot, u) => {
    const [cx, cy] = unitAt(state, at, u), answer = answerAt(state, at, u);
    fill(dot, { cx: cx.toFixed(1), cy: cy.toFixed(1), fill: answer === null ? "var(--accent)" : colours(answer) }, []);
    for (const mark of [dot, plot.traces[u]]) mark.classList.toggle("off", off.has(answer));
  });
  plot.root.setAttribute("aria-label", `Units of layer ${layerName(run.layers[of.layer])} at ${stepText(run, of.steps[at])}`);
}

// Points at the nearest unit; arrow keys: right and left are later and earlier, up and down another unit.
function walkUnits(state, name, walkTo) {
  const { of, plot, run } = state;
  const steps = of.steps.length, all = of.drawn.length;
  const point = (u, event) => {
    const answer = answerAt(state, state.at, u);
    plot.traces.forEach((trace, k) => trace.classList.toggle("lit", k === u));
    plot.dots.forEach((dot, k) => dot.classList.toggle("lit", k === u));
    return showTooltip(event, `unit ${of.drawn[u]}, ${stepText(run, of.steps[state.at])}`,
      answer === null ? [] : [[palette("class", classNames(run).length)(answer), "", "answers most", classNames(run)[answer]]]);
  };
  const leave = () => { hideTooltip(); [...plot.traces, ...plot.dots].forEach((mark) => mark.classList.remove("lit")); };
  const nearest = (event) => {
    const [x, y] = pointerIn(plot, event);
    const far = of.drawn.map((_, u) => (state.off.has(answerAt(state, state.at, u)) ? Infinity
      : Math.hypot(...[x, y].map((pixel, axis) => pixel - unitAt(state, state.at, u)[axis]))));
    const u = far.indexOf(Math.min(...far));
    return far[u] < NEAR_UNIT ? u : -1;
  };
  const hit = hitArea({ left: 0, right: plot.width, top: 0, bottom: plot.height }, {
    pointermove: (event) => { const u = nearest(event); u < 0 ? leave() : point(u, event); },
    pointerleave: leave,
  });
  const step = (way) => (index) => (index - (index % steps)) + clamp((index % steps) + way, 0, steps - 1);
  const unit = (way) => (index) => clamp(Math.floor(index / steps) + way, 0, all - 1) * steps + (index % steps);
  plot.marks.append(walkable(plot, hit, {
    label: `${name}: ${all} traces over ${steps} steps`, count: all * steps, start: steps - 1, leave,
    choose: (index) => selectStep(of.steps[index % steps]),
    keys: {
      ArrowLeft: step(-1), ArrowRight: step(1), Home: step(-Infinity), End: step(Infinity),
      ArrowUp: unit(-1), ArrowDown: unit(1), PageUp: unit(-UNIT_PAGE), PageDown: unit(UNIT_PAGE),
    },
    show: (index) => {
      const u = Math.floor(index / steps);
      walkTo(index % steps);
      return point(u, placeIn(plot, ...unitAt(state, state.at, u)));
    },
  }));
}

// Curves of the entropies over the units, and a table of what is one number for all steps.
function drawNumbers(place, known) {
  place.replaceChildren();
  const all = known.flatMap((one) => one.run.units.map((of) => ({ ...one, of })));
  const lines = (kind) => withValues(all.map(({ run: from, r, of }) => ({
    run: { ...from, steps: of.steps }, r, layer: from.layers[of.layer], values: of[kind],
  })));
  if (all.some(({ of }) => of.steps.length > 1)) {
    addPanel(place, "Entropy over the units, DSE", lines("dse"), "bits");
  }
  place.append(scrolling("Numbers over units", numberTable(all)));
}

function numberTable(all) {
  const heads = ["units of", "DSE, first", "DSE, last", "DSE, all steps", "share between steps"];
  const rows = all.map(({ run, r, of }) => html("tr", { "data-layer": run.layers[of.layer], "data-run": r },
    html("th", { scope: "row" }, layerName(run.layers[of.layer]) + ofRun(run)),
    ...[number(of.dse[0], 3), number(of.dse[of.dse.length - 1], 3), number(of.multislice, 3), number(of.between, 3)]
      .map((text, i) => html("td", { class: "number", "data-head": heads[i + 1] }, text))));
  return html("table", { id: "unit-table", class: "folds" },
    html("thead", {}, html("tr", {}, ...heads.map((text, i) => html("th", { scope: "col", class: i ? "number" : null }, text)))),
    html("tbody", {}, ...rows));
}
