"use strict";
// The page from top to bottom.

const stepListeners = [];
const onSelectStep = (listener) => stepListeners.push(listener);
const selectStep = (step) => { if (step !== undefined) stepListeners.forEach((listener) => listener(step)); };

function summary() {
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const measured = runs.reduce((sum, run) => sum + run.steps.length, 0);
  byId("summary").textContent =
    `${count(runs.length, "run")}, ${count(layers.length, "layer")}, ${count(measured, "measurement")}`;
  byId("footer").textContent = `Made by eigentropy ${data.eigentropy}. This page loads nothing from anywhere.`;
}

// Buttons that take layers and runs out of all drawings.
function legend() {
  const keys = (title, kind, entries) => html("div", { class: "keys" }, html("b", {}, title),
    ...entries.map(({ id, name, colour, dash }) => {
      const key = html("button", { type: "button", "aria-pressed": "true", click: () => toggle(kind, id, key) }, swatch(colour, dash), name);
      return key;
    }));
  byId("legend").append(keys("Layers", "layer",
    layers.map((layer) => ({ id: layer, name: layerName(layer), colour: layerColour(layer) }))));
  if (runs.length > 1) {
    byId("legend").append(keys("Runs", "run",
      runs.map((run, r) => ({ id: r, name: run.title, colour: "#1c2430", dash: DASHES[r % DASHES.length] }))));
  }
}

function toggle(kind, id, key) {
  hidden[kind].has(id) ? hidden[kind].delete(id) : hidden[kind].add(id);
  key.setAttribute("aria-pressed", String(!hidden[kind].has(id)));
  applyHidden();
}

function remarks() {
  const named = runs.flatMap((run) =>
    run.remarks.map((text) => (runs.length > 1 ? `${run.title}: ${text}` : text)));
  const texts = [...data.remarks, ...named];
  if (!texts.length) return;
  byId("remarks").append(html("h2", {}, "Before you read the curves"),
    html("ul", {}, ...texts.map((text) => html("li", {}, text))));
}

function settings() {
  const tables = runs.map((run) => new Map(run.settings));
  const names = [...new Set(runs.flatMap((run) => run.settings.map(([name]) => name)))];
  const rows = names.map((name) => {
    const values = tables.map((table) => table.get(name) ?? "");
    const differs = new Set(values).size > 1 && name !== "file";
    return html("tr", { class: differs ? "differs" : null }, html("th", { scope: "row" }, name),
      ...values.map((value) => html("td", {}, value)));
  });
  byId("settings").append(html("div", { class: "scroll" }, html("table", {},
    html("thead", {}, html("tr", {}, html("td"), ...runs.map((run) => html("th", { scope: "col" }, run.title)))),
    html("tbody", {}, ...rows))));
}

[summary, legend, remarks, trajectories, plane, spectrum, views, settings].forEach((part) => part());

// After the next frame everything is on the screen; tests and benchmarks read the milliseconds.
requestAnimationFrame(() => setTimeout(() => {
  document.documentElement.dataset.rendered = String(Math.round(performance.now()));
}));
