"use strict";
// What a page says in words: remarks, sentences and settings. A section without any is left out.

const remarks = () => remarkList("Before you read the numbers", data.remarks);

function sentences() {
  if (!data.sentences.length) return leaveOut(byId("sentences"));
  byId("sentences").append(...data.sentences.map((text) => html("li", {}, text)));
}

function settings() {
  if (!data.settings.length) return leaveOut(byId("settings"));
  const rows = data.settings.map(([name, value]) => html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, value)));
  byId("settings").append(scrolling("Settings", html("table", {}, html("tbody", {}, ...rows))));
}
