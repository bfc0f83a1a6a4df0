"use strict";
// Names beside the ends of paths, none upon another and none upon a dot: as near as there is room,
// with a line to the end that it names. A name without room is hidden until its layer is pointed
// at, or until others are taken out.

const LINE = 15, GAP = 9, FARTHEST = 130;

// What tells names apart: model.layers.0.mlp and model.layers.1.mlp are 0 and 1.
function withoutShared(names) {
  const parts = names.map((name) => name.split("."));
  const shortest = Math.min(...parts.map((one) => one.length)) - 1;
  const shared = (pick) => {
    let count = 0;
    while (count < shortest && parts.every((one) => pick(one, count) === pick(parts[0], count))) count++;
    return count;
  };
  const front = names.length > 1 ? shared((one, i) => one[i]) : 0;
  const back = names.length > 1 ? Math.min(shared((one, i) => one[one.length - 1 - i]), shortest - front) : 0;
  return new Map(names.map((name, k) => [name, parts[k].slice(front, parts[k].length - back).join(".")]));
}

// Where a name may stand, seen from its point, by growing distance: right, left, below, above, ...
const AROUND = [0, 8, 4, 12, 1, 15, 7, 9, 2, 14, 6, 10, 3, 5, 11, 13].map((k) => (k * Math.PI) / 8);
const PLACES = Array.from({ length: Math.ceil((FARTHEST - GAP) / 8) }, (_, ring) => GAP + 8 * ring)
  .flatMap((far) => AROUND.map((angle, i) => ({ far, x: Math.cos(angle), y: Math.sin(angle), cost: far + i / 4 })));

// Pixels of a cell of the map of what is drawn; a dot weighs more than all the lines in a box.
const CELL = 3, DOT = 1e4;

// What a bad place costs, in pixels of distance: a line to a name that crosses a name, or another
// line to a name; and a cell of a path under a name.
const CROSSED_NAME = 400, CROSSED_LINE = 60, COVERED_PATH = 0.5;

// Each end: x, y, text, layer, r, family. They are placed in their order; `paths` are lists of dots.
function addLabels(plot, ends, paths) {
  const shown = ends.map((end) => {
    const name = svg("text", { class: "halo" }, end.text);
    const leader = svg("line", { class: "leader" });
    const group = svg("g", { class: "name", "data-layer": end.layer, "data-run": end.r, "data-family": end.family }, leader, name);
    return { ...end, name, leader, group };
  });
  plot.marks.append(...shown.map((one) => one.group));
  for (const one of shown) one.width = one.name.getComputedTextLength();
  const place = () => placeLabels(plot, shown, paths);
  place();
  return place;
}

function placeLabels(plot, shown, paths) {
  const taken = [];
  const weight = drawnIn(plot, paths.filter(([dot]) => isShown(dot.layer, dot.r, dot.family)));
  for (const one of shown) {
    if (!isShown(one.layer, one.r, one.family)) continue;
    const box = bestPlace(plot, one, taken, weight);
    one.group.classList.toggle("crowded", !box);
    if (box) taken.push(box);
    draw(one, box || clamped(plot, boxAt(one, PLACES[0])));
  }

  function draw(one, box) {
    one.name.setAttribute("x", box.left + 2);
    one.name.setAttribute("y", box.top + 12);
    for (const [name, value] of Object.entries(box.leader)) one.leader.setAttribute(name, value);
  }
}

// The cheapest place without a dot or a name.
function bestPlace(plot, one, taken, weight) {
  let best = null;
  for (const place of PLACES) {
    if (best && best.cost <= place.cost) return best;
    const box = boxAt(one, place);
    if (!isInside(plot, box) || taken.some((other) => overlap(box, other))) continue;
    const drawn = weight(box);
    if (drawn >= DOT) continue;
    const cost = place.cost + COVERED_PATH * drawn + taken.reduce((sum, other) => sum
      + (crosses(box.leader, other) || crosses(other.leader, box) ? CROSSED_NAME : 0)
      + (meets(box.leader, other.leader) ? CROSSED_LINE : 0), 0);
    if (!best || cost < best.cost) best = { ...box, cost };
  }
  return best;
}

function boxAt({ x, y, width }, place) {
  const full = width + 4;
  const left = x + place.x * (full / 2 + place.far) - full / 2, top = y + place.y * (LINE / 2 + place.far) - LINE / 2;
  const box = { left, right: left + full, top, bottom: top + LINE };
  return { ...box, leader: { x1: x, y1: y, x2: clamp(x, left + 2, box.right - 2), y2: clamp(y, top + 2, box.bottom - 2) } };
}

// The weight of what is drawn in a box, from sums over the cells above and to the left.
function drawnIn({ width, height }, paths) {
  const columns = Math.ceil(width / CELL) + 2, rows = Math.ceil(height / CELL) + 2;
  const sums = new Float64Array(columns * rows);
  const cell = (pixel, most) => clamp(Math.floor(pixel / CELL) + 1, 1, most - 1);
  const add = ({ left, right, top, bottom }, amount) => {
    for (let j = cell(top, rows); j <= cell(bottom, rows); j++) {
      for (let i = cell(left, columns); i <= cell(right, columns); i++) sums[j * columns + i] += amount;
    }
  };
  for (const path of paths) {
    path.forEach((dot, k) => {
      add(dotBox(dot), DOT);
      const before = path[Math.max(0, k - 1)];
      const parts = Math.ceil(Math.hypot(dot.x - before.x, dot.y - before.y) / CELL);
      for (let i = 1; i < parts; i++) {
        const [x, y] = [between([before.x, dot.x], i / parts), between([before.y, dot.y], i / parts)];
        add({ left: x, right: x, top: y, bottom: y }, 1);
      }
    });
  }
  for (let j = 1; j < rows; j++) {
    for (let i = 1; i < columns; i++) {
      const k = j * columns + i;
      sums[k] += sums[k - 1] + sums[k - columns] - sums[k - columns - 1];
    }
  }
  return ({ left, right, top, bottom }) => {
    const [a, b, c, d] = [cell(left, columns) - 1, cell(right, columns), cell(top, rows) - 1, cell(bottom, rows)];
    return sums[d * columns + b] - sums[c * columns + b] - sums[d * columns + a] + sums[c * columns + a];
  };
}

const dotBox = ({ x, y }) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 });

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

// Whether two lines meet between their ends.
function meets(a, b) {
  const side = (line, x, y) => Math.sign((line.x2 - line.x1) * (y - line.y1) - (line.y2 - line.y1) * (x - line.x1));
  return side(a, b.x1, b.y1) * side(a, b.x2, b.y2) < 0 && side(b, a.x1, a.y1) * side(b, a.x2, a.y2) < 0;
}

// Whether a line passes through a box, by its diagonals.
const crosses = (line, { left, right, top, bottom }) =>
  meets(line, { x1: left, y1: top, x2: right, y2: bottom }) || meets(line, { x1: left, y1: bottom, x2: right, y2: top });

const isInside = (plot, { left, right, top, bottom }) =>
  left >= plot.left && right <= plot.width && top >= 0 && bottom <= plot.bottom;

function clamped(plot, box) {
  const left = clamp(box.left, plot.left, Math.max(plot.left, plot.width - (box.right - box.left)));
  return { ...box, left };
}
