"use strict";
// The models of the page, what is known of each, and what the reader has chosen to see.

const { models, scores } = data;

const families = [...new Set(models.map((model) => model.family))];
const familyName = (family) => family || "(no family)";
const familyColours = palette("family", families.length);
const familyColour = (family) => familyColours(families.indexOf(family));

// What a model may be placed by: any score, and the accuracy.
const accuracyAxis = { name: "accuracy", values: models.map((model) => model.accuracy), errors: [] };
const axes = [...(data.hasAccuracies ? [accuracyAxis] : []), ...scores];
const axisCalled = (name) => axes.find((axis) => axis.name === name);

// What scores are compared with: those that Python has computed correlations with.
const targets = [...new Set(data.correlations.map((one) => one.target))].map(axisCalled).filter(Boolean);

const chosen = { score: scores[data.by], target: targets[0] || axes.find((axis) => axis !== scores[data.by]) || scores[0] };
const afterChoice = channel();

const sizeText = (size) => (isNumber(size) ? Number(size.toPrecision(4)).toLocaleString("en") : "");
const hasSizes = models.some((model) => isNumber(model.size));
const hasFamilies = families.some(Boolean);

// The models that share a group with one.
const tiedWith = (score, place) =>
  [...new Set(score.groups.filter((group) => group.includes(place)).flat())].filter((other) => other !== place);

const hasTies = (score) => score.groups.some((group) => group.length > 1);

// The places of the models, best first; those without a value come last.
const ordered = (score) => models.map((_, place) => place)
  .sort((a, b) => (score.ranks[a]?.[0] ?? Infinity) - (score.ranks[b]?.[0] ?? Infinity) || a - b);

const rankText = (rank) => (rank ? String(rank[0]) : "");
const spanText = (rank) => (!rank ? "" : rank[1] === rank[2] ? String(rank[1]) : `${rank[1]} to ${rank[2]}`);

// Chooses the score and what it is compared with, and which families are shown.
function choices() {
  const place = byId("legend");
  const pick = (name, list, start, take) => {
    const box = select(list.map((one) => one.name), (i) => { take(list[i]); afterChoice.tell(); });
    box.value = list.indexOf(start);
    box.id = `choose-${name}`;
    return box;
  };
  const others = [...targets, ...axes.filter((axis) => !targets.includes(axis))];
  place.append(html("div", { class: "controls" },
    control("score", pick("score", scores, chosen.score, (one) => { chosen.score = one; })),
    control("beside", pick("target", others, chosen.target, (one) => { chosen.target = one; }))));
  if (hasFamilies) {
    place.append(keys("Families", "family", families.map((family) =>
      ({ id: family, name: familyName(family), colour: familyColour(family) }))));
  }
}
