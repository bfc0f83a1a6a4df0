"use strict";
// Alarms: a mark where one was raised on the axis of the steps, and a list of them.

const alarms = runs.flatMap((run, r) => run.alarms.map(([at, raised]) => ({ run, r, step: run.steps[at], raised })));

const MOST_ALARMS = 12;

function alarmList() {
  if (!alarms.length) return;
  const all = alarms.slice(0, MOST_ALARMS).map((alarm) => {
    const point = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      pointAtAlarm(alarm, { clientX: box.right, clientY: box.bottom });
    };
    const names = alarm.raised.map(([, i]) => layerName(alarm.run.layers[i])).join(", ");
    return button(`${stepText(alarm.run, alarm.step)}: ${shortened(names, 60)}${ofRun(alarm.run)}`, () => selectStep(alarm.step), {
      "data-run": alarm.r, pointerenter: point, focus: point, pointerleave: leavePanels, blur: leavePanels,
      "aria-label": `Alarm at ${stepText(alarm.run, alarm.step)}: ${alarmRows(alarm).map(([, , name, value]) => `${name}, ${value}`).join("; ")}`,
    });
  });
  const more = alarms.length - all.length;
  byId("alarms").append(html("b", {}, "Alarms"), ...all, more > 0 ? html("span", { class: "soft" }, `and ${more} more`) : "");
}

const ofRun = (run) => (runs.length > 1 ? `, ${run.title}` : "");

// What raised an alarm, as rows of the list at the pointer.
const alarmRows = ({ run, r, raised }) => raised.map(([name, i, evidence]) =>
  ["var(--alarm)", dashOf(r), `${name}: ${layerName(run.layers[i])}${ofRun(run)}`, `evidence ${number(evidence, 2)}`]);

const alarmRowsAt = (step) => alarms.filter((one) => one.step === step && isShown(undefined, one.r)).flatMap(alarmRows);

function pointAtAlarm(alarm, event) {
  crossAt(alarm.step);
  showTooltip(event, stepText(alarm.run, alarm.step), alarmRowsAt(alarm.step));
}

// The marks of a panel, which lie above what takes the pointer.
const alarmMarks = (plot) => alarms.map((alarm) => {
  const [x, y] = [plot.X(alarm.step), plot.bottom];
  const point = (event) => pointAtAlarm(alarm, event);
  return svg("g", { class: "alarm", "data-run": alarm.r, pointermove: point, pointerleave: leavePanels, click: () => selectStep(alarm.step) },
    svg("line", { x1: x, x2: x, y1: plot.top, y2: y }),
    svg("path", { d: `M${x} ${y - 10}l6 11h-12z` }));
});
