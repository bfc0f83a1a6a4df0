"use strict";
// The information plane: I(Z;X) against I(Z;Y), one path a layer, coloured by time.

function plane() {
  const place = byId("plane");
  const paths = runs.flatMap((run, r) => pathsOf(run, r));
  if (!paths.length) return leaveOut(place);
  let rename = () => {};
  if (hasOneStep) document.querySelector(".over-time").remove();
  afterHiding.listen(() => rename());
  const draw = () => { rename = drawPlane(place, paths); };
  afterResize.listen(draw);
  draw();
}

// Returns a function that places the names anew.
function drawPlane(place, paths) {
  place.replaceChildren();
  const [unitX, unitY] = [0, 1].map((axis) => unitOfKind(paths[0].pair[axis], paths));
  const points = paths.flatMap((path) => path.points);
  const plot = chart({
    place, title: `Each dot is a measurement of a layer${explained(layers)}`,
    x: { domain: padded(extent(points.map((q) => q.x))), label: `I(Z;X), ${unitX}` },
    y: { domain: padded(extent(points.map((q) => q.y))), label: `I(Z;Y), ${unitY}` },
    heightOf: (width) => clamp(0.6 * width, 320, 540),
  });
  paths.forEach((path) => plot.marks.append(drawPath(plot, path)));
  place.append(timeBar(paths));
  const pixel = (path, point) => ({ x: plot.X(point.x), y: plot.Y(point.y), layer: path.layer, r: path.r });
  const brief = withoutShared(layers);
  const ends = paths.map((path) => {
    const name = layerName(brief.get(path.layer)) + (runs.length > 1 ? `, ${path.run.title}` : "");
    return { ...pixel(path, path.points[path.points.length - 1]), text: shortName(name) };
  });
  // From the outside in: the first and the last layer are surest to have room for their names.
  const order = ends.map((end, i) => [Math.min(i, ends.length - 1 - i), end]).sort((a, b) => a[0] - b[0]);
  const rename = addLabels(plot, order.map(([, end]) => end), paths.map((path) => path.points.map((point) => pixel(path, point))));
  walkPaths(plot, paths);
  return rename;
}

// Arrow keys: right and left are later and earlier, up and down another layer.
function walkPaths(plot, paths) {
  const all = paths.flatMap((path, k) => path.points.map((point, i) => ({ path, point, k, i })));
  const ring = svg("circle", { class: "ring", r: 9 });
  const frame = svg("rect", { class: "frame", x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top });
  const leave = () => { leavePath(); ring.remove(); };
  const another = (way) => (index) => {
    const k = clamp(all[index].k + way, 0, paths.length - 1);
    return all.findLastIndex((one) => one.k === k && one.i <= all[index].i);
  };
  plot.marks.prepend(walkable(plot, frame, {
    label: `Information plane: ${paths.length} paths`, count: all.length, start: paths[0].points.length - 1, leave,
    choose: (i) => selectStep(all[i].point.step), keys: { ArrowUp: another(-1), ArrowDown: another(1) },
    show: (i) => {
      const { path, point } = all[i];
      const [x, y] = [plot.X(point.x), plot.Y(point.y)];
      plot.marks.append(fill(ring, { cx: x, cy: y }, []));
      return pointAtPath(path, point, placeIn(plot, x, y));
    },
  }));
}

const leavePath = () => { hideTooltip(); highlight("layer"); };

// Input and labels: DSMI where both are there, otherwise kernel information.
const PLANES = [["dsmi_x", "dsmi_y"], ["kernel_x", "kernel_y"]];

// What the short names stand for.
function explained(names) {
  const [name] = names, brief = withoutShared(names).get(name);
  return brief === name ? "" : ` (${brief}: ${name})`;
}

function pathsOf(run, r) {
  const pair = PLANES.find(([x, y]) => run.series[x] && run.series[y]);
  if (!pair) return [];
  const [xs, ys] = pair.map((kind) => run.series[kind]);
  return run.layers.map((layer, i) => ({
    run, r, layer, pair,
    points: run.steps
      .map((step, k) => ({ step, x: (xs[i] || [])[k], y: (ys[i] || [])[k], share: k / Math.max(1, run.steps.length - 1) }))
      .filter((point) => isNumber(point.x) && isNumber(point.y)),
  })).filter((path) => path.points.length);
}

function drawPath(plot, path) {
  const group = curve(plot, path.points.map((p) => [p.x, p.y]), {
    class: "path", stroke: layerColour(path.layer), "stroke-dasharray": dashOf(path.r),
    "data-layer": path.layer, "data-run": path.r,
  });
  group.querySelectorAll("circle").forEach((lone) => lone.remove());
  for (const point of path.points) {
    group.append(svg("circle", {
      class: "moment", cx: plot.X(point.x).toFixed(1), cy: plot.Y(point.y).toFixed(1), r: plot.width < 500 ? 3.2 : 4.5, fill: momentColour(path, point),
      pointermove: (event) => pointAtPath(path, point, event),
      pointerleave: leavePath,
      click: () => selectStep(point.step),
    }));
  }
  return group;
}

// A run of one step has no time to show.
const momentColour = (path, point) => (hasOneStep ? layerColour(path.layer) : shade(point.share));

function pointAtPath(path, point, event) {
  highlight("layer", path.layer);
  return showTooltip(event, stepText(path.run, point.step), [
    [layerColour(path.layer), dashOf(path.r), layerName(path.layer), runs.length > 1 ? path.run.title : ""],
    [momentColour(path, point), "", "I(Z;X)", number(point.x)],
    [momentColour(path, point), "", "I(Z;Y)", number(point.y)],
  ]);
}

function timeBar(paths) {
  const steps = extent(paths.flatMap((path) => path.run.steps));
  if (steps[0] === steps[1]) return "";
  const names = [...new Set(paths.map((path) => path.run.stepName))].join(" or ");
  return shadeBar(`${names} ${steps[0]} `, ` ${steps[1]}${runs.length > 1 ? " (of each run its own)" : ""}`);
}

// From the colour of the first step to that of the last.
function shadeBar(first, last) {
  const bar = svg("svg", { width: 160, height: 10, "aria-hidden": "true" });
  for (let k = 0; k < 40; k++) bar.append(svg("rect", { x: 4 * k, y: 0, width: 4.2, height: 10, fill: shade(k / 39) }));
  return html("p", { class: "help time" }, first, bar, last);
}
