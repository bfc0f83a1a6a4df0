"use strict";
// The page of a ranking from top to bottom.

function summary() {
  const count = (number, one, several) => `${number} ${number === 1 ? one : several}`;
  const of = hasFamilies ? ` of ${count(families.length, "family", "families")}` : "";
  byId("summary").textContent = `${count(models.length, "model", "models")}${of}, ${count(scores.length, "score", "scores")}`;
  footer();
}

[summary, scheme, remarks, choices, sentences, modelScatter, modelTable, correlations, everyScore, settings, watchWindow]
  .forEach((part) => part());

sayWhenDrawn();
