"use strict";
// The layers at one step, in the order of the model: which neighbours differ, and which do not.

function profile() {
  const place = byId("profile");
  if (hasOneStep || layers.length < 2) return leaveOut(place);
  byId("tie-note").textContent = tieNote();
  const steps = [...new Set(runs.flatMap((run) => run.steps))].sort((a, b) => a - b);
  const inAll = steps.findLastIndex((step) => runs.every((run) => run.steps.includes(step)));
  const body = html("div", { class: "panels" });
  let step = 0;
  const draw = () => {
    body.replaceChildren();
    for (const [kind, title] of Object.entries(MEASURES)) {
      const lines = linesOf(kind);
      rowPanel(body, title, lines, unitOfKind(kind, lines), (run) => run.steps.indexOf(step));
    }
    applyOff(body);
  };
  const choose = slider("profile-step", [...new Set(runs.map((run) => run.stepName))].join(" or "), steps.length,
    inAll < 0 ? steps.length - 1 : inAll, (i) => {
      step = steps[i];
      if (body.isConnected) draw();
      return runs.length === 1 && runs[0].names ? runs[0].names[i] : String(step);
    });
  place.append(html("div", { class: "controls" }, choose), body);
  draw();
  if (!body.childElementCount) return leaveOut(place);
  afterResize.listen(draw);
  stepChosen.listen((wanted) => moveTo(byId("profile-step"), nearestIndex(steps, wanted)));
}
