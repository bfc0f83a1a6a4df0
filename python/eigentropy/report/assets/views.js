"use strict";
// Maps of the layers' samples at some steps, coloured by class.

const MAP_PIXELS = 440;

function views() {
  const place = byId("views");
  const known = runs.filter((run) => run.views.length);
  if (!known.length) return leaveOut(place);
  const controls = html("div", { class: "controls" });
  const classes = html("div", { class: "keys" });
  const maps = html("div", { class: "maps" });
  place.append(controls, classes, maps);
  const state = { run: known[0], view: 0, off: new Set(), timer: null };
  chooseMaps(0);
  stepChosen.listen((step) => moveTo(byId("views-step"), nearestIndex(state.run.views.map((v) => v.step), step)));
  afterScheme.listen(() => drawMaps(state));

  function chooseMaps(index) {
    state.run = known[index];
    state.off.clear();
    clearInterval(state.timer);
    const choice = select(known.map((run) => run.title), chooseMaps);
    choice.value = index;
    showCanvases(state, maps);
    const last = state.run.views.length - 1;
    controls.replaceChildren(...(known.length > 1 ? [control("run", choice)] : []),
      slider("views-step", state.run.stepName, last + 1, last, (i) => {
        state.view = i;
        drawMaps(state);
        return String(state.run.views[i].step);
      }),
      last > 0 ? button("Play", play) : "");
    classes.replaceChildren(...classKeys(state, () => drawMaps(state)));
    applyHidden();
  }

  function play() {
    playFrom(state, "views-step", state.run.views.length);
  }
}

// Moves a slider through all its places; `state.timer` is what stops it.
function playFrom(state, id, count) {
  clearInterval(state.timer);
  let next = 0;
  state.timer = setInterval(() => {
    moveTo(byId(id), next++);
    if (next >= count) clearInterval(state.timer);
  }, 350);
}

// One for each layer that has a map.
function showCanvases(state, maps) {
  const { run } = state;
  const drawn = run.layers.map((_, i) => i).filter((i) => run.views.some((view) => view.layers[i]));
  state.canvases = drawn.map((i) => [i, html("canvas", { width: MAP_PIXELS, height: MAP_PIXELS, role: "img" })]);
  maps.replaceChildren(...state.canvases.map(([i, canvas]) =>
    html("figure", { "data-layer": run.layers[i] }, html("figcaption", {}, layerName(run.layers[i])), canvas)));
}

const classNames = (run) =>
  run.classes ? run.classes.map((one) => one.name)
    : [...new Set(run.views.flatMap((view) => view.groups || []))].sort((a, b) => a - b).map((g) => `group ${g + 1}`);

const MOST_CLASSES = 40;

function classKeys(state, redraw) {
  const names = classNames(state.run);
  const colours = palette("class", names.length);
  const all = names.slice(0, MOST_CLASSES).map((name, k) => {
    const key = html("button", {
      type: "button", "aria-pressed": "true",
      click: () => {
        state.off.has(k) ? state.off.delete(k) : state.off.add(k);
        key.setAttribute("aria-pressed", String(!state.off.has(k)));
        redraw();
      },
    }, dot(colours(k)), name);
    return key;
  });
  const more = names.length - all.length;
  return names.length ? [html("b", {}, "Classes"), ...all, more > 0 ? html("span", { class: "soft" }, `and ${more} more`) : ""] : [];
}

const dot = (colour) =>
  svg("svg", { width: 10, height: 10, "aria-hidden": "true" }, svg("circle", { cx: 5, cy: 5, r: 5, fill: colour }));

function drawMaps({ run, view, off, canvases }) {
  const { groups, layers: maps, step } = run.views[view];
  const colourOf = classColours(run);
  for (const [i, canvas] of canvases) {
    canvas.setAttribute("aria-label", `Map of layer ${layerName(run.layers[i])} at ${stepText(run, step)}`);
    paintMap(canvas, maps[i], groups, off, colourOf);
  }
}

// The colour of a class, or of samples without one, as it is at the moment.
function classColours(run) {
  const count = classNames(run).length;
  const colours = palette("class", count);
  const shades = Array.from({ length: count }, (_, k) => resolved(colours(k)));
  const plain = resolved("var(--accent)");
  return (group) => shades[group] || plain;
}

function paintMap(canvas, map, groups, off, colourOf, radius = 5) {
  const brush = canvas.getContext("2d");
  brush.clearRect(0, 0, MAP_PIXELS, MAP_PIXELS);
  if (!map) return;
  const place = fitted(map);
  brush.globalAlpha = 0.8;
  for (let k = 0; k < map[0].length; k++) {
    const group = groups ? groups[k] : null;
    if (off.has(group)) continue;
    brush.fillStyle = colourOf(group);
    brush.beginPath();
    brush.arc(place(0, k), MAP_PIXELS - place(1, k), radius, 0, 2 * Math.PI);
    brush.fill();
  }
}

// Coordinates to pixels: each direction fills the canvas.
function fitted(columns) {
  const ranges = columns.map(extent);
  return (axis, k) => {
    const [low, high] = ranges[axis];
    return 16 + ((columns[axis][k] - low) / (high - low || 1)) * (MAP_PIXELS - 32);
  };
}
