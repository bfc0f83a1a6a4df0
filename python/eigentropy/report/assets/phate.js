"use strict";
// PHATE of a layer's samples at each recorded step, by class: a row of maps for each run.

// Of a dot, in the pixels of a canvas that is shown smaller than it is.
const SMALL_MAP_DOT = 9;

function phateViews() {
  const place = byId("phate");
  const known = runs.map((run, r) => ({ run, r, views: run.views.filter((view) => view.phate) })).filter((one) => one.views.length);
  const drawn = layers.filter((layer) => known.some((one) => one.views.some((view) => view.phate[one.run.layers.indexOf(layer)])));
  if (!drawn.length) return leaveOut(place);
  const state = { run: known[0].run, off: new Set(), layer: drawn[drawn.length - 1], painted: [] };
  const body = html("div", {}), classes = html("div", { class: "keys" });
  const choice = select(drawn.map(layerName), (i) => { state.layer = drawn[i]; show(); });
  choice.id = "phate-layer";
  choice.value = drawn.length - 1;
  place.append(html("div", { class: "controls" }, control("layer", choice)), classes, body);
  classes.append(...classKeys(state, paint));
  afterScheme.listen(paint);
  show();

  function show() {
    state.painted = [];
    body.replaceChildren(...known.map(rowOfRun));
    paint();
    applyOff(body);
  }

  function rowOfRun({ run, r, views }) {
    const i = run.layers.indexOf(state.layer);
    const figures = views.filter((view) => view.phate[i]).map((view) => {
      const canvas = html("canvas", { width: MAP_PIXELS, height: MAP_PIXELS, role: "img",
        "aria-label": `PHATE of layer ${layerName(state.layer)} at ${captionOf(run, view.step)}${ofRun(run)}` });
      state.painted.push([canvas, run, view, i]);
      return html("figure", {}, html("figcaption", {}, captionOf(run, view.step)), canvas);
    });
    return html("div", { "data-run": r }, runs.length > 1 ? html("h3", {}, run.title) : "", html("div", { class: "maps small" }, ...figures));
  }

  function paint() {
    const colours = new Map(known.map(({ run }) => [run, classColours(run)]));
    for (const [canvas, run, view, i] of state.painted) paintMap(canvas, view.phate[i], view.groups, state.off, colours.get(run), SMALL_MAP_DOT);
  }
}

// A step, and how accurate the network is there, where that was recorded.
function captionOf(run, step) {
  const name = Object.keys(run.scalars).find((one) => one.split("/")[0] === "accuracy");
  const value = name && run.scalars[name][run.steps.indexOf(step)];
  return stepText(run, step) + (isNumber(value) ? `, ${name} ${number(value, 3)}` : "");
}
