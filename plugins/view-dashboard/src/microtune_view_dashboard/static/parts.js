// Pieces that several pages show.

import { h } from "./elements.js";
import { moment, names, number, spell } from "./formats.js";

export const STATES = ["RUNNING", "PENDING", "PAUSED", "COMPLETED", "STOPPED", "FAILED"];

export function pill(word, title = "") {
  return h("span.pill", { "data-state": word.toLowerCase(), title }, word.toLowerCase());
}

/** How many trials are in which state, as a bar; what is still expected is left empty. */
export function bar(run) {
  const told = STATES.filter((state) => run.states[state]).map((state) => `${run.states[state]} ${state.toLowerCase()}`);
  const total = Math.max(run.expected ?? 0, run.trials, 1);
  const parts = ["COMPLETED", "STOPPED", "FAILED", "RUNNING", "PAUSED", "PENDING"].map((state) => {
    const count = run.states[state];
    return count && h("span", { "data-state": state.toLowerCase(), style: { width: `${(100 * count) / total}%` } });
  });
  return h("span.bar", { role: "img", "aria-label": told.join(", ") || "no trials", title: told.join(", ") }, parts);
}

export function trials(run) {
  return run.expected && run.expected > run.trials ? `${run.trials} of ${run.expected}` : String(run.trials);
}

export function best(run, link = false) {
  if (!run.best.length) return "–";
  return run.best.map((one, i) => [
    i ? " · " : "",
    link ? h("a", { href: `#/run/${run.key}/trial/${one.trial}` }, number(one.value)) : number(one.value),
    run.best.length > 1 ? ` ${one.metric}` : "",
  ]);
}

export function objective(run) {
  return run.metric ? `${names(run.mode)} ${names(run.metric)}` : "";
}

export function fact(name, ...value) {
  return h("div.fact", {}, h("dt", {}, name), h("dd", {}, ...value));
}

export function values(pairs) {
  return h("table.pairs", {}, h("tbody", {}, Object.entries(pairs).map(([name, value]) => (
    h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, spell(value))) ))));
}

export { moment };
