"use strict";
// Panels with a row for each layer: a dot for its value, a bar for its interval, and a line to the
// next layer, which is thick where the two do not differ.

// How neighbours were compared.
const TESTS = {
  paired: "by a paired test on their samples",
  unpaired: "with the errors of independent samples, which are too large where two layers move together: a paired test of the same samples finds more differences",
};

function tieNote() {
  const isPaired = (run) => Object.keys(run.profiles).length > 0;
  const isUnpaired = (run) => !isPaired(run) && Object.values(run.bands).some(([over]) => over === "samples");
  const tests = [runs.some(isPaired) && TESTS.paired, runs.some(isUnpaired) && TESTS.unpaired].filter(Boolean);
  return tests.length ? `A thick line joins neighbours that do not differ (Holm's correction over the neighbours of a panel): ${tests.join("; without one ")}.` : "";
}

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
  const found = drawn.map((line) => dotOf(line, placeOf(line.run))).filter(({ value }) => isNumber(value));
  const ends = found.map(({ value, error }) => ({ values: [value], errors: [error] }));
  const X = scale(padded(extentOf([...drawn, ...ends])), [left, right], {}, clamp(Math.floor(plot.width / 90), 2, 6));
  const middle = (i) => ABOVE + row * (i + 0.5);
  texts.forEach((text, i) => plot.root.append(
    svg("line", { class: "grid", x1: left, x2: right, y1: middle(i), y2: middle(i) }),
    svg("text", { x: left - 10, y: middle(i) + 4, "text-anchor": "end" }, text)));
  const Y = (line) => middle(names.indexOf(line.layer ?? line.name)) + RUN * (own.indexOf(line.r) - (own.length - 1) / 2);
  bottomAxis(plot.root, X, { left, right, bottom, height: plot.height }, label);
  plot.root.append(plot.marks);
  const dots = found.map((dot) => ({ ...dot, x: X(dot.value), y: Y(dot.line) }));
  const frame = { ...plot, X, left, right, top: ABOVE, bottom, row };
  plot.marks.append(...links(dots), ...dots.map((dot) => drawDot(frame, dot)));
  const rows = names.map((name) => dots.filter(({ line }) => (line.layer ?? line.name) === name));
  walkRows(frame, title, rows, names, drawn);
}

// A value with its error, and the p-value of the paired test with the layer before: from a profile,
// where there is one.
function dotOf(line, at) {
  const [numbers, p] = (line.run.profiles[at] || {})[line.kind] || [];
  const own = numbers && numbers[line.i];
  const [value, error] = own || [line.values[at], (line.errors || [])[at]];
  return { line, value, error, over: own ? "samples" : line.over, paired: p ? p[line.i] : null };
}

// Lines between neighbours of the same run. What is of the caller has no neighbours.
function links(dots) {
  return runs.flatMap((run, r) => {
    const own = dots.filter((dot) => dot.line.r === r && dot.line.layer !== undefined);
    const pairs = own.slice(1).map((dot, i) => [own[i], dot]);
    const known = compared(pairs.filter((pair) => pair.every((dot) => dot.over === "samples" && isMeasured(dot))));
    return pairs.map(([a, b]) => {
      const tested = known.find((one) => one.a === a && one.b === b);
      b.p = b.paired ?? (tested && tested.holm);
      const isJoined = isNumber(b.p) && isTie(b.p);
      return svg("line", {
        class: isJoined ? "tie" : "link", x1: a.x, y1: a.y, x2: b.x, y2: b.y, "data-run": r,
        "data-pair": JSON.stringify([a.line.layer, b.line.layer]), "stroke-dasharray": isJoined ? null : dashOf(r),
      });
    });
  });
}

function drawDot(plot, { line, over, value, error, x, y }) {
  const group = svg("g", { stroke: line.colour, "data-layer": line.layer, "data-run": line.r });
  if (isNumber(error)) {
    const [low, high] = [-1, 1].map((sign) => plot.X(value + sign * data.quantile * error));
    group.append(svg("path", { class: `bar ${over}`, d: `M${low} ${y}H${high}M${low} ${y - CAP}v${2 * CAP}M${high} ${y - CAP}v${2 * CAP}` }));
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
    return showTooltip(event, layerName(names[i]), shown.flatMap(({ line, value, error, p }) => [
      [line.colour, dashOf(line.r), runs.length > 1 ? line.run.title : "", withError(value, error)],
      ...(isNumber(p) ? [["none", "", "p from the layer above", pText(p)]] : []),
    ]));
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
