"use strict";
// The models by two of their numbers: circles by family and size.

// Radii in pixels. The most models that have a name. With more models than MOST_BARS only the one
// that is pointed at has its bar. Up to REACH pixels from a circle the pointer still means it.
const PLAIN_RADIUS = 6, RADII = [4, 17], MOST_NAMED = 24, MOST_BARS = 60, REACH = 40;

function modelScatter() {
  const place = byId("scatter");
  let relabel = () => {};
  const redraw = () => {
    place.replaceChildren();
    relabel = drawModels(place, chosen.score, chosen.target);
    applyOff(place);
  };
  byId("scatter-help").append(hasSizes && models.some((model) => !isNumber(model.size)) ? " A model of unknown size has a dashed edge." : "");
  afterChoice.listen(redraw);
  afterResize.listen(redraw);
  afterHiding.listen(() => relabel());
  redraw();
}

// The area of a circle goes with the size of the model.
const largest = Math.max(...models.map((model) => model.size ?? 0));
const radiusOf = ({ size }) =>
  (isNumber(size) ? clamp(RADII[1] * Math.sqrt(Math.max(0, size) / largest), ...RADII) : PLAIN_RADIUS);

function drawModels(place, score, target) {
  const drawn = models.map((model, i) => ({ model, i, value: score.values[i], error: score.errors[i], beside: target.values[i] }))
    .filter(({ value, beside }) => isNumber(value) && isNumber(beside));
  place.append(html("p", { class: "answer" }, ...coefficients(score, target)));
  if (!drawn.length) {
    place.append(missing(`No model has both ${score.name} and ${target.name}.`));
    return () => {};
  }
  const plot = chart({
    place, title: `${target.name} over ${score.name}`,
    x: { label: score.name, domain: padded(extentOf([{ values: drawn.map((one) => one.value), errors: drawn.map((one) => one.error) }])) },
    y: { label: target.name, domain: padded(extent(drawn.map((one) => one.beside))) },
    heightOf: (width) => clamp(0.55 * width, 280, 620),
  });
  const dots = drawn.map((one) => ({ ...one, x: plot.X(one.value), y: plot.Y(one.beside), r: radiusOf(one.model) }));
  plot.marks.classList.toggle("many", dots.length > MOST_BARS);
  // The small ones are drawn last, upon the large ones.
  plot.marks.append(...[...dots].sort((a, b) => b.r - a.r).map((dot) => circle(plot, dot)));
  walkModels(plot, dots, score, target);
  return addLabels(plot, named(dots), covered(dots));
}

function circle(plot, { model, value, error, x, y, r }) {
  const colour = familyColour(model.family);
  const group = svg("g", { class: "model", stroke: colour, "data-layer": model.name, "data-family": model.family });
  if (isNumber(error)) {
    const [low, high] = [-1, 1].map((sign) => plot.X(value + sign * data.quantile * error));
    group.append(svg("path", { class: "bar", d: `M${low} ${y}H${high}` }));
  }
  group.append(svg("circle", {
    cx: x, cy: y, r, fill: colour, "stroke-dasharray": hasSizes && !isNumber(model.size) ? "3 2" : null,
  }));
  return group;
}

// The best models have names, as far as there is room.
function named(dots) {
  const order = ordered(chosen.score);
  return [...dots].sort((a, b) => order.indexOf(a.i) - order.indexOf(b.i)).slice(0, MOST_NAMED)
    .map(({ model, x, y }) => ({ x, y, text: shortName(model.name), layer: model.name, family: model.family }));
}

// What names must not lie upon: points all over each circle.
function covered(dots) {
  return dots.flatMap(({ model, x, y, r }) => {
    const steps = Math.max(1, Math.ceil(r / 5)), points = [];
    for (let i = -steps; i <= steps; i++) {
      for (let j = -steps; j <= steps; j++) {
        const [dx, dy] = [(i * r) / steps, (j * r) / steps];
        if (Math.hypot(dx, dy) <= r) points.push([{ x: x + dx, y: y + dy, layer: model.name, family: model.family }]);
      }
    }
    return points;
  });
}

// Points at the models by the pointer, or by arrow keys, from left to right.
function walkModels(plot, dots, score, target) {
  const inOrder = [...dots].sort((a, b) => a.x - b.x || a.y - b.y);
  const isSeen = ({ model }) => isShown(model.name, undefined, model.family);
  const show = (dot, event) => {
    highlight("layer", dot.model.name);
    const { model, i, value, error, beside } = dot, rank = score.ranks[i], tied = tiedWith(score, i);
    return showTooltip(event, model.name, [
      [familyColour(model.family), "", score.name, withError(value, error)],
      ["none", "", target.name, withError(beside, target.errors[i])],
      ...(rank ? [["none", "", "rank", rank[1] < rank[2] ? `${rankText(rank)} (${spanText(rank)})` : rankText(rank)]] : []),
      ...(tied.length ? [["none", "", "in a group with", tied.length > 2 ? `${tied.length} models` : tied.map((one) => models[one].name).join(", ")]] : []),
      ...(model.family ? [["none", "", "family", model.family]] : []),
      ...(isNumber(model.size) ? [["none", "", "size", sizeText(model.size)]] : []),
    ]);
  };
  const leave = () => { hideTooltip(); highlight("layer"); };
  const nearest = ([x, y]) => dots.filter(isSeen)
    .map((dot) => [Math.hypot(dot.x - x, dot.y - y) - dot.r, dot])
    .reduce((best, one) => (one[0] < best[0] ? one : best), [REACH, null])[1];
  const hit = hitArea(plot, {
    pointermove: (event) => { const dot = nearest(pointerIn(plot, event)); dot ? show(dot, event) : leave(); },
    pointerleave: leave,
  });
  plot.root.append(walkable(plot, hit, {
    label: `${target.name} over ${score.name}, ${dots.length} models`, count: inOrder.length, leave,
    show: (i) => show(inOrder[i], placeIn(plot, inOrder[i].x, inOrder[i].y)),
  }));
}
