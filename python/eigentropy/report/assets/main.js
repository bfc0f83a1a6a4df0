"use strict";
// The page from top to bottom.

function summary() {
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const measured = runs.reduce((sum, run) => sum + run.steps.length, 0);
  byId("summary").textContent =
    `${count(runs.length, "run")}, ${count(layers.length, "layer")}, ${count(measured, "measurement")}`;
  footer();
}

// What a click on a curve does depends on the parts that there are.
function advice() {
  const names = { profile: "the profile", comparisons: "the comparisons", spectrum: "the spectrum", views: "the maps", units: "the units" };
  const parts = Object.keys(names).filter(byId).map((id) => names[id]);
  if (hasOneStep) {
    byId("h-trajectories").textContent = "Values";
    byId("advice").textContent = "One measurement of each layer. Point at a dot for its value.";
  } else if (parts.length) byId("advice").append(` A click shows that time in ${listed(parts)} below.`);
}

const listed = (names) => [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

function remarks() {
  const named = runs.flatMap((run) =>
    run.remarks.map((text) => (runs.length > 1 ? `${run.title}: ${text}` : text)));
  const texts = [...data.remarks, ...named];
  remarkList("Before you read the curves", texts);
}

function settings() {
  const tables = runs.map((run) => new Map(run.settings));
  const names = [...new Set(runs.flatMap((run) => run.settings.map(([name]) => name)))];
  const rows = names.map((name) => {
    const values = tables.map((table) => table.get(name) ?? "");
    const differs = new Set(values).size > 1 && name !== "file";
    return html("tr", { class: differs ? "differs" : null }, html("th", { scope: "row" }, name),
      ...values.map((value, i) => html("td", { "data-head": runs.length > 1 ? runs[i].title : "" }, value)));
  });
  byId("settings").append(scrolling("Settings", html("table", { class: "folds" },
    html("thead", {}, html("tr", {}, html("td"), ...runs.map((run) => html("th", { scope: "col" }, run.title)))),
    html("tbody", {}, ...rows))));
}

afterResize.listen(trajectories);
[
  summary, scheme, legend, remarks, bandNote, alarmList, trajectories, profile, comparisons, plane, spectrum, views,
  phateViews, units, advice, settings, watchWindow,
].forEach((part) => part());

sayWhenDrawn();
