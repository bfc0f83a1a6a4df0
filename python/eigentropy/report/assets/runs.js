"use strict";
// The runs of the page, their layers and their measures.

const runs = data.runs;

const DASHES = ["", "7 4", "2 4", "9 3 2 3", "12 5", "4 2"];
const dashOf = (r) => DASHES[r % DASHES.length];

const MEASURES = {
  dse: "Entropy, DSE(Z)",
  dsmi_y: "About the labels, DSMI(Z;Y)",
  dsmi_y_adjusted: "The same, adjusted, DSMI(Z;Y)",
  dsmi_x: "About the input, DSMI(Z;X)",
  dsmi_x_adjusted: "The same, adjusted, DSMI(Z;X)",
  dsmi_previous: "About the layer before",
  dsmi_previous_adjusted: "The same, adjusted",
  kernel: "Kernel entropy of Z",
  kernel_y: "About the labels, kernel information",
  kernel_y_adjusted: "The same, adjusted, kernel information",
  kernel_x: "About the input, kernel information",
  kernel_previous: "About the layer before, kernel information",
};

// Layers of all runs by name, in the order of the first run that has them.
const layers = [...new Set(runs.flatMap((run) => run.layers))];
const layerIndex = new Map(layers.map((name, i) => [name, i]));
const layerColours = palette("layer", layers.length);
const layerColour = (name) => layerColours(layerIndex.get(name));
const layerName = (name) => name || "(whole model)";

const stepText = (run, step) =>
  run.names ? run.names[run.steps.indexOf(step)] : `${run.stepName} ${step}`;
