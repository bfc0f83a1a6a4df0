"use strict";
// Names beside the ends of paths, none upon another. A name without room is hidden until its layer
// is pointed at, or until others are taken out.

const LINE = 15, GAP = 9;

// A name that covers more dots than this has no room.
const MOST_COVERED = 2;

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

// Where a name may stand, seen from its point, by growing distance: right, left, above, below.
const PLACES = [0, 1, 2, 3].flatMap((ring) => [
  [1, 0], [-1, 0], [1, -1], [1, 1], [-1, -1], [-1, 1], [0, -1], [0, 1],
].map(([x, y]) => ({ x, y: y * (ring + 1), ring })).filter(({ y, ring: k }) => k === 0 || y !== 0));

// Each end: x, y, text, layer, r. They are placed in their order; `dots` are better left free.
function addLabels(plot, ends, dots) {
  const shown = ends.map((end) => {
    const name = svg("text", { class: "halo" }, end.text);
    const leader = svg("line", { class: "leader" });
    const group = svg("g", { class: "name", "data-layer": end.layer, "data-run": end.r }, leader, name);
    return { ...end, name, leader, group };
  });
  plot.marks.append(...shown.map((one) => one.group));
  for (const one of shown) one.width = one.name.getComputedTextLength();
  placeLabels(plot, shown, dots);
  return () => placeLabels(plot, shown, dots);
}

function placeLabels(plot, shown, dots) {
  const taken = [];
  const seen = dots.filter((dot) => isShown(dot.layer, dot.r)).map(dotBox);
  const covered = (box) => seen.filter((dot) => overlap(box, dot)).length;
  for (const one of shown) {
    if (!isShown(one.layer, one.r)) continue;
    const box = PLACES.map((place) => boxAt(one, place))
      .filter((box) => isInside(plot, box) && !taken.some((other) => overlap(box, other)))
      .map((box) => ({ ...box, covered: covered(box) }))
      .filter((box) => box.covered <= MOST_COVERED)
      .reduce((best, other) => (best && costOf(best) <= costOf(other) ? best : other), null);
    one.group.classList.toggle("crowded", !box);
    if (box) taken.push(box);
    draw(one, box || clamped(plot, boxAt(one, PLACES[0])));
  }

  function draw(one, box) {
    one.name.setAttribute("x", box.left + 2);
    one.name.setAttribute("y", box.top + 12);
    const edge = clamp(one.x, box.left, box.left + one.width);
    for (const [name, value] of Object.entries({ x1: one.x, y1: one.y, x2: edge, y2: clamp(one.y, box.top + 2, box.bottom - 2) })) {
      one.leader.setAttribute(name, value);
    }
  }
}

// Rather nearby than without any dot.
const costOf = ({ covered, place }) => covered + 2 * place.ring;

function boxAt({ x, y, width }, place) {
  const full = width + 4;
  const left = place.x > 0 ? x + GAP - 2 : place.x < 0 ? x - GAP - full + 2 : x - full / 2;
  const top = y - LINE / 2 + place.y * LINE;
  return { left, right: left + full, top, bottom: top + LINE, place };
}

const dotBox = ({ x, y }) => ({ left: x - 4, right: x + 4, top: y - 4, bottom: y + 4 });

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

const isInside = (plot, { left, right, top, bottom }) =>
  left >= plot.left && right <= plot.width && top >= 0 && bottom <= plot.bottom;

function clamped(plot, box) {
  const left = clamp(box.left, plot.left, Math.max(plot.left, plot.width - (box.right - box.left)));
  return { ...box, left };
}
