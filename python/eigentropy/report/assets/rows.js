"use strict";
// Panels with a row for each layer: a dot for its value, a bar for its interval, and a line to the
// next layer, which is thick where the two do not differ.

const ROW = 22, RUN = 9, CAP = 4, LETTER = 7, ABOVE = 14;

// `placeOf(run)` is the place of the step that is shown among those of the run, or -1.
function rowPanel(place, title, drawn, label, placeOf) {
  if (!drawn.length) return;
  const names = [...new Set(drawn.map((line) => line.layer ?? line.name))];
  const own = [...new Set(drawn.map((line) => line.r))];
  const row = ROW + RUN * (own.length - 1), bottom = row * names.length + ABOVE;
  const plot = canvas(place, title, () => bottom + 48);
  const most = Math.min(LONGEST_NAME, Math.floor((plot.width / 2 - 16) / LETTER));
  const texts = names.map((name) => shortened(layerName(name), most));
  const left = 16 + LETTER * Math.max(...texts.map((text) => text.length)), right = plot.width - 16;
  const X = scale(padded(extentOf(drawn)), [left, right], {}, clamp(Math.floor(plot.width / 90), 2, 6));
  const middle = (i) => ABOVE + row * (i + 0.5);
  texts.forEach((text, i) => plot.root.append(
    svg("line", { class: "grid", x1: left, x2: right, y1: middle(i), y2: middle(i) }),
    svg("text", { x: left - 10, y: middle(i) + 4, "text-anchor": "end" }, text)));
  const Y = (line) => middle(names.indexOf(line.layer ?? line.name)) + RUN * (own.indexOf(line.r) - (own.length - 1) / 2);
  bottomAxis(plot.root, X, { left, right, bottom, height: plot.height }, label);
  plot.root.append(plot.marks);
  const dots = drawn.map((line) => ({ line, value: line.values[placeOf(line.run)], error: (line.errors || [])[placeOf(line.run)] }))
    .filter(({ value }) => isNumber(value))
    .map((dot) => ({ ...dot, x: X(dot.value), y: Y(dot.line) }));
  const frame = { ...plot, X, left, right, top: ABOVE, bottom, row };
  plot.marks.append(...links(dots), ...dots.map((dot) => drawDot(frame, dot)));
  const rows = names.map((name) => dots.filter(({ line }) => (line.layer ?? line.name) === name));
  walkRows(frame, title, rows, names, drawn);
}

// Lines between neighbours of the same run. What is of the caller has no neighbours.
function links(dots) {
  return runs.flatMap((run, r) => {
    const own = dots.filter((dot) => dot.line.r === r && dot.line.layer !== undefined);
    const pairs = own.slice(1).map((dot, i) => [own[i], dot]);
    const known = compared(pairs.filter((pair) => pair.every((dot) => dot.line.over === "samples" && isMeasured(dot))));
    return pairs.map(([a, b]) => {
      const isTie = known.some((one) => one.a === a && one.b === b && one.isTie);
      return svg("line", {
        class: isTie ? "tie" : "link", x1: a.x, y1: a.y, x2: b.x, y2: b.y, "data-run": r,
        "data-pair": JSON.stringify([a.line.layer, b.line.layer]), "stroke-dasharray": isTie ? null : dashOf(r),
      });
    });
  });
}

function drawDot(plot, { line, value, error, x, y }) {
  const group = svg("g", { stroke: line.colour, "data-layer": line.layer, "data-run": line.r });
  if (isNumber(error)) {
    const [low, high] = [-1, 1].map((sign) => plot.X(value + sign * data.quantile * error));
    group.append(svg("path", { class: `bar ${line.over}`, d: `M${low} ${y}H${high}M${low} ${y - CAP}v${2 * CAP}M${high} ${y - CAP}v${2 * CAP}` }));
  }
  group.append(svg("circle", {
    class: "dot", cx: x, cy: y, r: 4.5, fill: line.r ? "var(--paper)" : line.colour,
    "stroke-dasharray": line.r ? dashOf(line.r - 1) : null,
  }));
  return group;
}

// Points at the rows by the pointer, or by arrow keys: down is the next layer.
function walkRows(plot, title, rows, names, drawn) {
  const show = (i, event) => {
    const shown = rows[i].filter(({ line }) => isShown(line.layer, line.r));
    highlight("layer", drawn[0].layer === undefined ? undefined : names[i]);
    if (!shown.length) { hideTooltip(); return "no value"; }
    return showTooltip(event, layerName(names[i]), shown.map(({ line, value, error }) =>
      [line.colour, dashOf(line.r), runs.length > 1 ? line.run.title : "", withError(value, error)]));
  };
  const leave = () => { hideTooltip(); highlight("layer"); };
  const hit = hitArea(plot, {
    pointermove: (event) => show(clamp(Math.floor((pointerIn(plot, event)[1] - ABOVE) / plot.row), 0, rows.length - 1), event),
    pointerleave: leave,
  });
  plot.marks.append(walkable(plot, hit, {
    label: `${title}: a value for each of ${names.length} rows`, count: rows.length, leave,
    keys: { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10 },
    show: (i) => show(i, placeIn(plot, (plot.left + plot.right) / 2, ABOVE + plot.row * (i + 0.5))),
  }));
}
