"use strict";
// The information plane: I(Z;X) against I(Z;Y), one path a layer, coloured by time.

function plane() {
  const place = byId("plane");
  const paths = runs.flatMap((run, r) => pathsOf(run, r));
  if (!paths.length) {
    place.append(missing(
      "It needs the information about the labels and about the input: " +
      'a probe with labels and measures=["dse", "dsmi_y", "dsmi_x"].'));
    return;
  }
  const unit = unitOf(paths);
  const plot = chart({
    title: "Each dot is a measurement of a layer",
    x: { domain: padded(extent(paths.flatMap((p) => p.points.map((q) => q.x)))), label: `I(Z;X), ${unit}` },
    y: { domain: padded(extent(paths.flatMap((p) => p.points.map((q) => q.y)))), label: `I(Z;Y), ${unit}` },
    width: 760, height: 440,
  });
  paths.forEach((path) => plot.marks.append(drawPath(plot, path)));
  labels(plot, paths);
  place.append(plot.figure, timeBar(paths));
}

function pathsOf(run, r) {
  const [xs, ys] = [run.series.dsmi_x, run.series.dsmi_y];
  if (!xs || !ys) return [];
  return run.layers.map((layer, i) => ({
    run, r, layer,
    points: run.steps
      .map((step, k) => ({ step, x: (xs[i] || [])[k], y: (ys[i] || [])[k], share: k / Math.max(1, run.steps.length - 1) }))
      .filter((point) => isNumber(point.x) && isNumber(point.y)),
  })).filter((path) => path.points.length);
}

function drawPath(plot, path) {
  const group = curve(plot, path.points.map((p) => [p.x, p.y]), {
    stroke: layerColour(path.layer), "stroke-opacity": 0.35,
    "stroke-dasharray": DASHES[path.r % DASHES.length], "data-layer": path.layer, "data-run": path.r,
  });
  for (const point of path.points) {
    group.append(svg("circle", {
      cx: plot.X(point.x).toFixed(1), cy: plot.Y(point.y).toFixed(1), r: 4.5, fill: shade(point.share),
      stroke: "#fff", "stroke-width": 0.8, "stroke-opacity": 1, "stroke-dasharray": "none",
      pointermove: (event) => showTooltip(event, stepText(path.run, point.step), [
        [layerColour(path.layer), "", layerName(path.layer), runs.length > 1 ? path.run.title : ""],
        [shade(point.share), "", "I(Z;X)", number(point.x)],
        [shade(point.share), "", "I(Z;Y)", number(point.y)],
      ]),
      pointerleave: hideTooltip,
      click: () => selectStep(point.step),
    }));
  }
  return group;
}

// The names of layers at the ends of their paths. Where they would overlap they are moved towards
// the middle: those of the upper half down, those of the lower half up.
function labels(plot, paths) {
  const middle = (plot.top + plot.bottom) / 2;
  const placed = [];
  const ends = paths.map((path) => {
    const last = path.points[path.points.length - 1];
    return { path, x: plot.X(last.x), y: plot.Y(last.y) };
  }).sort((a, b) => Math.abs(b.y - middle) - Math.abs(a.y - middle));
  for (const end of ends) {
    const away = end.y < middle ? 1 : -1;
    const blocks = (other) => Math.abs(other.x - end.x) < 150 && Math.abs(other.y - end.y) < 15;
    while (placed.some(blocks)) end.y += away;
    placed.push(end);
    const name = layerName(end.path.layer) + (runs.length > 1 ? `, ${end.path.run.title}` : "");
    const atRight = end.x > plot.width - 150;
    plot.marks.append(svg("text", {
      class: "halo", x: end.x + (atRight ? -9 : 9), y: end.y + 4, "text-anchor": atRight ? "end" : "start",
      style: `fill: ${layerColour(end.path.layer)}`, "data-layer": end.path.layer, "data-run": end.path.r,
    }, name));
  }
}

function timeBar(paths) {
  const steps = extent(paths.flatMap((path) => path.run.steps));
  const names = [...new Set(paths.map((path) => path.run.stepName))].join(" or ");
  const bar = svg("svg", { width: 160, height: 10, "aria-hidden": "true" });
  for (let k = 0; k < 40; k++) bar.append(svg("rect", { x: 4 * k, y: 0, width: 4.2, height: 10, fill: shade(k / 39) }));
  return html("p", { class: "help", style: "text-align: center" },
    `${names} ${steps[0]} `, bar, ` ${steps[1]}`, paths.length && runs.length > 1 ? " (of each run its own)" : "");
}
