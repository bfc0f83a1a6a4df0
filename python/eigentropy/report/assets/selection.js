"use strict";
// What the parts of the page share: which layers, runs and families of models are shown, which one
// stands out, which step was chosen, and when the window has another width. Marks carry data-layer
// (of a ranking, the name of the model), data-run and data-family.

const hidden = { layer: new Set(), run: new Set(), family: new Set() };

const isShown = (layer, run, family) =>
  !hidden.layer.has(layer) && !hidden.run.has(run) && !hidden.family.has(family);

function channel() {
  const listeners = [];
  return { listen: (listener) => listeners.push(listener), tell: (...what) => listeners.forEach((l) => l(...what)) };
}

const afterHiding = channel(), afterResize = channel(), afterScheme = channel(), stepChosen = channel();

const selectStep = (step) => { if (step !== undefined) stepChosen.tell(step); };

// Takes out what is not shown of a part of the page.
function applyOff(part) {
  for (const node of part.querySelectorAll("[data-layer], [data-run], [data-family]")) {
    const { layer, run, family } = node.dataset;
    node.classList.toggle("off", !isShown(layer, run === undefined ? run : Number(run), family));
  }
}

function applyHidden() {
  applyOff(document);
  afterHiding.tell();
}

// Let one layer, or one run, stand out; nothing does without a name.
function highlight(kind, name) {
  for (const node of document.querySelectorAll(`svg [data-${kind}]`)) {
    const isIt = node.dataset[kind] === String(name);
    node.classList.toggle("lit", name !== undefined && isIt);
    node.classList.toggle("dim", name !== undefined && !isIt);
  }
}

// Buttons that take layers and runs out of all drawings; pointing at one lets it stand out.
function legend() {
  const place = byId("legend");
  place.append(keys("Layers", "layer",
    layers.map((layer) => ({ id: layer, name: layerName(layer), colour: layerColour(layer) }))));
  if (runs.length > 1) {
    place.append(keys("Runs", "run",
      runs.map((run, r) => ({ id: r, name: run.title, colour: "var(--ink)", dash: dashOf(r) }))));
  }
}

const MANY_KEYS = 4;

function keys(title, kind, entries) {
  const buttons = entries.map(({ id, name, colour, dash }) => html("button", {
    type: "button", "aria-pressed": "true",
    click: () => show(kind, entries, buttons, (entry) => (entry.id === id) === hidden[kind].has(entry.id)),
    pointerenter: (event) => { if (event.pointerType === "mouse") highlight(kind, id); },
    pointerleave: () => highlight(kind), blur: () => highlight(kind),
    focus: (event) => { if (event.target.matches(":focus-visible")) highlight(kind, id); },
  }, swatch(colour, dash), name));
  const all = (isIt) => button(isIt ? "all" : "none", () => show(kind, entries, buttons, () => isIt), { class: "plain" });
  return html("div", { class: "keys" }, html("b", {}, title),
    ...(entries.length >= MANY_KEYS ? [all(true), all(false)] : []), ...buttons);
}

function show(kind, entries, buttons, isWanted) {
  const wanted = entries.map(isWanted);
  entries.forEach(({ id }, i) => {
    wanted[i] ? hidden[kind].delete(id) : hidden[kind].add(id);
    buttons[i].setAttribute("aria-pressed", String(wanted[i]));
  });
  highlight(kind);
  applyHidden();
}

function watchWindow() {
  let width = document.documentElement.clientWidth, timer = null;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (document.documentElement.clientWidth === width) return;
      width = document.documentElement.clientWidth;
      afterResize.tell();
      applyHidden();
    }, 120);
  });
  matchMedia("screen and (prefers-color-scheme: dark)").addEventListener("change", () => afterScheme.tell());
}

// The system's choice of light or dark, or the reader's own. Paper is light, and nothing is folded.
const SCHEME_CHOICES = ["as the system", "light", "dark"];

function scheme() {
  const root = document.documentElement;
  const choice = select(SCHEME_CHOICES, (i) => {
    if (i) root.dataset.scheme = SCHEME_CHOICES[i];
    else delete root.dataset.scheme;
    afterScheme.tell();
  });
  choice.id = "scheme";
  document.querySelector("header").append(control("colours", choice));
  const printing = (isIt) => () => {
    root.toggleAttribute("data-printing", isIt);
    for (const one of document.querySelectorAll("details")) one.open = isIt;
    afterScheme.tell();
  };
  addEventListener("beforeprint", printing(true));
  addEventListener("afterprint", printing(false));
}
