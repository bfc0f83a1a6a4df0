"use strict";
// The models by their rank, with its interval and with what is not told apart; and all scores.

const SPAN_PIXELS = 120, MOST_ROWS = 100;

function modelTable() {
  const search = html("input", { type: "search", id: "find", "aria-label": "Find models", placeholder: "find models", input: find });
  const place = html("div");
  const all = button(`show all ${models.length}`, () => { most = models.length; all.hidden = true; find(); }, { class: "plain" });
  let most = MOST_ROWS;
  all.hidden = models.length <= most;
  byId("table").append(html("div", { class: "controls" }, search), place, all);
  const redraw = () => {
    const { score } = chosen;
    byId("table-help").textContent = tableHelp(score);
    place.replaceChildren(scrolling("Ranks", rankTable(score)));
    find();
    applyOff(place);
  };
  afterChoice.listen(redraw);
  redraw();

  // Shows the rows of models whose names have a text, and lets their circles stand out; without a
  // text, the first rows.
  function find() {
    const wanted = search.value.trim().toLowerCase();
    const isFound = (node) => node.dataset.layer.toLowerCase().includes(wanted);
    place.querySelectorAll("tr[data-layer]").forEach((row, i) => { row.hidden = wanted ? !isFound(row) : i >= most; });
    for (const mark of document.querySelectorAll("#scatter [data-layer]")) mark.classList.toggle("dim", !isFound(mark));
  }
}

function tableHelp(score) {
  const hasErrors = score.errors.some(isNumber);
  return `By ${score.name}, the best first. ${
    hasErrors ? `The intervals hold the ranks of all models at once, with ${levelText}, over other samples of the data. ` : ""}${
    hasErrors ? "Models that share a letter are a group of which no two are told apart." : "Without sampling errors, ranks have no intervals and no groups."}`;
}

function rankTable(score) {
  const hasErrors = score.errors.some(isNumber);
  const columns = [
    ["rank", "number", (place) => rankText(score.ranks[place])],
    ...(hasErrors ? [["interval", "span", (place) => span(score.ranks[place])]] : []),
    ...(hasErrors ? [["group", "", (place) => score.letters[place]]] : []),
    [score.name, "number", (place) => withError(score.values[place], score.errors[place])],
    ...(data.hasAccuracies ? [["accuracy", "number", (place) => tickText(models[place].accuracy ?? NaN).replace("NaN", "")]] : []),
    ...(hasFamilies ? [["family", "", (place) => models[place].family]] : []),
    ...(hasSizes ? [["size", "number", (place) => sizeText(models[place].size)]] : []),
  ];
  const row = (place) => html("tr", {
    "data-layer": models[place].name, "data-family": models[place].family,
    pointerenter: () => highlight("layer", models[place].name), pointerleave: () => highlight("layer"),
  }, html("th", { scope: "row" }, models[place].name),
  ...columns.map(([head, kind, cell]) => html("td", { class: kind || null, "data-head": head }, cell(place))));
  return html("table", { id: "rank-table", class: "folds" },
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "model"),
      ...columns.map(([head, kind]) => html("th", { scope: "col", class: kind || null }, head)))),
    html("tbody", {}, ...ordered(score).map(row)));
}

// The interval of a rank as a bar from the first rank to the last, and as text.
function span(rank) {
  if (!rank) return "";
  const X = scale([1, Math.max(2, models.length)], [5, SPAN_PIXELS - 5]);
  const bar = svg("svg", { width: SPAN_PIXELS, height: 14, "aria-hidden": "true" },
    svg("line", { class: "grid", x1: 0, x2: SPAN_PIXELS, y1: 7, y2: 7 }),
    svg("line", { class: "reach", x1: X(rank[1]), x2: X(rank[2]), y1: 7, y2: 7 }),
    svg("circle", { class: "at", cx: X(rank[0]), cy: 7, r: 4 }));
  return html("span", { class: "spanned" }, bar, html("span", {}, spanText(rank)));
}

// Every score of every model, with half of its interval.
function everyScore() {
  const place = byId("every");
  const cell = (score, place) => html("td", { class: "number" }, withError(score.values[place], score.errors[place]));
  const rows = models.map((model, place) => html("tr", { "data-layer": model.name, "data-family": model.family },
    html("th", { scope: "row" }, model.name), ...scores.map((score) => cell(score, place))));
  const table = html("table", { id: "every-table" },
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "model"),
      ...scores.map((score) => html("th", { scope: "col", class: "number" }, score.name)))),
    html("tbody", {}, ...rows));
  place.append(html("details", {}, html("summary", {}, `${scores.length} scores of ${models.length} models`),
    scrolling("All scores", table)));
}
