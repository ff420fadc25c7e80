// All runs.

import { h, show } from "./elements.js";
import { duration, moment } from "./formats.js";
import { bar, best, objective, pill, trials } from "./parts.js";
import { ask } from "./server.js";

const NUMBERS = new Set(["Trials", "Best", "Elapsed"]);

export function overview(view) {
  const box = h("div");
  view.replaceChildren(h("h1.page", {}, "Runs"), box);
  async function draw() {
    const { runs, storages } = await ask("api/runs");
    runs.sort((a, b) => (b.status === "running") - (a.status === "running") || (b.began ?? 0) - (a.began ?? 0));
    if (!runs.length) {
      return show(box, h("p.quiet", {}, `There is no run in ${storages.join(", ")} yet. It will appear here when it begins.`));
    }
    show(box, h("div.scroll", {}, h("table.runs", {},
      h("thead", {}, h("tr", {}, ["Run", "Status", "Trials", "", "Objective", "Best", "Elapsed", "Began"].map((name) => (
        h("th", { scope: "col", class: NUMBERS.has(name) && "number" }, name))))),
      h("tbody", {}, runs.map(row)))));
  }
  return { draw, concerns: () => true };
}

function row(run) {
  const broken = run.status === "damaged" || run.status === "deleted";
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `#/run/${run.key}`, title: run.path }, run.name)),
    h("td", {}, pill(run.status, run.reason ?? "")),
    broken
      ? h("td.quiet.problem", { colspan: 6 }, run.reason)
      : [
        h("td.number", {}, trials(run)), h("td.wide", {}, bar(run)), h("td", {}, objective(run)),
        h("td.number.strong", {}, best(run)), h("td.number", {}, duration(run.elapsed)), h("td.quiet", {}, run.began > 1e9 ? moment(run.began) : ""),
      ]);
}
