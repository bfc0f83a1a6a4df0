"use strict";
// Maps of the layers' samples at some steps, coloured by class.

const MAP_PIXELS = 440;

function views() {
  const place = byId("views");
  const known = runs.filter((run) => run.views.length);
  if (!known.length) {
    place.append(missing('There are no maps: record a run with Monitor(..., record="runs/a").'));
    return;
  }
  const controls = html("div", { class: "controls" });
  const classes = html("div", { class: "keys" });
  const maps = html("div", { class: "maps" });
  place.append(controls, classes, maps);
  const state = { run: known[0], view: 0, off: new Set(), timer: null };
  chooseRun(0);
  onSelectStep((step) => moveTo(byId("views-step"), nearestIndex(state.run.views.map((v) => v.step), step)));

  function chooseRun(index) {
    state.run = known[index];
    state.off.clear();
    const choice = select(known.map((run) => run.title), chooseRun);
    choice.value = index;
    const canvases = state.run.layers.map((layer) => html("canvas", { width: MAP_PIXELS, height: MAP_PIXELS, role: "img" }));
    maps.replaceChildren(...state.run.layers.map((layer, i) =>
      html("figure", { "data-layer": layer }, html("figcaption", {}, layerName(layer)), canvases[i])));
    state.canvases = canvases;
    const last = state.run.views.length - 1;
    controls.replaceChildren(...(known.length > 1 ? [control("run", choice)] : []),
      slider("views-step", state.run.stepName, last + 1, last, (i) => {
        state.view = i;
        draw(state);
        return String(state.run.views[i].step);
      }),
      html("button", { type: "button", click: play }, "Play"));
    classes.replaceChildren(...classKeys(state, () => draw(state)));
    applyHidden();
  }

  function play() {
    clearInterval(state.timer);
    let next = 0;
    state.timer = setInterval(() => {
      moveTo(byId("views-step"), next++);
      if (next >= state.run.views.length) clearInterval(state.timer);
    }, 350);
  }
}

const classNames = (run) =>
  run.classes ? run.classes.map((one) => one.name)
    : [...new Set(run.views.flatMap((view) => view.groups || []))].sort((a, b) => a - b).map((g) => `group ${g + 1}`);

function classKeys(state, redraw) {
  const names = classNames(state.run);
  const keys = names.slice(0, 40).map((name, k) => {
    const key = html("button", {
      type: "button", "aria-pressed": "true",
      click: () => {
        state.off.has(k) ? state.off.delete(k) : state.off.add(k);
        key.setAttribute("aria-pressed", String(!state.off.has(k)));
        redraw();
      },
    }, dot(classColour(k, names.length)), name);
    return key;
  });
  return names.length ? [html("b", {}, "Classes"), ...keys] : [];
}

const dot = (colour) =>
  svg("svg", { width: 10, height: 10, "aria-hidden": "true" }, svg("circle", { cx: 5, cy: 5, r: 5, fill: colour }));

// Muted, by Paul Tol, for up to ten classes.
const TOL = ["#332288", "#cc6677", "#44aa99", "#ddaa33", "#882255", "#88ccee", "#117733", "#aa4499", "#999933", "#555555"];
const classColour = (k, count) => (count <= TOL.length ? TOL[k] : shade(k / (count - 1)));

function draw({ run, view, off, canvases }) {
  const { groups, layers: maps, step } = run.views[view];
  const count = classNames(run).length;
  canvases.forEach((canvas, i) => {
    const brush = canvas.getContext("2d");
    brush.clearRect(0, 0, MAP_PIXELS, MAP_PIXELS);
    canvas.setAttribute("aria-label", `Map of layer ${layerName(run.layers[i])} at ${stepText(run, step)}`);
    if (!maps[i]) return;
    const place = fitted(maps[i]);
    brush.globalAlpha = 0.75;
    for (let k = 0; k < maps[i][0].length; k++) {
      const group = groups ? groups[k] : null;
      if (off.has(group)) continue;
      brush.fillStyle = group === null ? "#0b5cad" : classColour(group, count);
      brush.beginPath();
      brush.arc(place(0, k), MAP_PIXELS - place(1, k), 5, 0, 2 * Math.PI);
      brush.fill();
    }
  });
}

// Coordinates to pixels: each direction fills the canvas.
function fitted(columns) {
  const ranges = columns.map(extent);
  return (axis, k) => {
    const [low, high] = ranges[axis];
    return 16 + ((columns[axis][k] - low) / (high - low || 1)) * (MAP_PIXELS - 32);
  };
}
