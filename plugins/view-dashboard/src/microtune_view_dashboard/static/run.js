// One run: what it is, its trials, its figures.

import { h, show } from "./elements.js";
import { FigureGrid } from "./figures.js";
import { duration, moment, number } from "./formats.js";
import { bar, best, fact, objective, pill, trials, values } from "./parts.js";
import { ask, stop as requestStop } from "./server.js";
import { TrialTable } from "./table.js";

const TABS = ["trials", "figures", "settings"];
const kept = new Map(); // key of a run -> its rows, and how its table was left

export function runPage(view, key, tab = "trials") {
  const memory = kept.get(key) ?? { id: null, seq: 0, rows: new Map(), table: {} };
  kept.set(key, memory);
  const head = h("div");
  const note = h("p.note", { role: "alert" });
  const tabs = h("nav.tabs", { "aria-label": "Views of the run" }, TABS.map((name) => (
    h("a", { href: `#/run/${key}/${name}`, "aria-current": name === tab && "page" }, name))));
  const body = h("div");
  view.replaceChildren(head, note, tabs, body);
  let table = null;
  let figures = null;

  async function draw() {
    const [run, changes] = await Promise.all([
      ask(`api/runs/${key}`), tab === "trials" && ask(`api/runs/${key}/trials?after=${memory.seq}&of=${memory.id}`)]);
    document.title = `${run.name} – microtune`;
    show(head, header(run));
    const button = head.querySelector("button.stop");
    if (button) button.onclick = () => stop(run);
    if (tab === "settings") return show(body, settings(run));
    if (tab === "figures") {
      figures ??= new FigureGrid(key, run.figures);
      if (figures.element.parentNode !== body) body.replaceChildren(figures.element);
      return figures.update(run.seq);
    }
    table ??= new TrialTable(key, objectives(run), memory.table);
    if (table.element.parentNode !== body) body.replaceChildren(table.element);
    if (changes.id !== memory.id) memory.rows.clear(); // the run was begun anew
    memory.id = changes.id;
    for (const row of changes.rows) memory.rows.set(row.id, row);
    memory.seq = changes.seq;
    table.update([...memory.rows.values()], changes.columns);
  }

  async function stop(run) {
    if (!confirm(`Stop the run ${run.name}? Its trials are interrupted, and it can be resumed.`)) return;
    try {
      const { asked } = await requestStop(`api/runs/${key}`);
      note.textContent = `Process ${asked} was asked to stop; the run ends when its trials have left.`;
    } catch (error) {
      note.textContent = error.message;
    }
  }

  return { draw, concerns: (news) => key in news, leave: () => figures?.leave() };
}

function header(run) {
  const plugins = (run.settings.plugins ?? []).filter((one) => one.role !== "logger").map((one) => one.name);
  const broken = run.status === "damaged" || run.status === "deleted";
  return [
    h("div.title", {}, h("h1", { title: run.path }, run.name), pill(run.status, run.reason ?? ""),
      run.control && run.status === "running" && h("button.stop", { type: "button" }, "Stop the run")),
    run.reason && !["running", "finished"].includes(run.status) && h(broken ? "p.problem" : "p.quiet", {}, run.reason),
    h("dl.facts", {},
      fact("best", h("strong.big", { title: "of the last results of the trials, as in `microtune best`" }, best(run, true))),
      fact("objective", objective(run)),
      fact("trials", trials(run), bar(run)),
      fact("results", number(run.results)),
      fact("elapsed", duration(run.elapsed)),
      run.per_minute !== null && run.status === "running" && fact("pace", `${number(Math.round(run.per_minute))} results/min`),
      run.began > 1e9 && fact("began", moment(run.began)),
      fact("plugins", plugins.join(", "))),
  ];
}

function objectives(run) {
  const list = (value) => (Array.isArray(value) ? value : value ? [value] : []);
  const modes = list(run.mode);
  return new Map(list(run.metric).map((name, i) => [name, modes[i]]));
}

function settings(run) {
  const { param_space, plugins, ...rest } = run.settings;
  return [
    h("h2", {}, "Search space"), values(run.space),
    h("h2", {}, "Plugins"), h("ul", {}, (plugins ?? []).map((one) => h("li", {},
      h("b", {}, one.name), ` ${one.role} `, h("span.quiet", {}, [one.distribution, one.version].filter(Boolean).join(" ")),
      one.options && Object.keys(one.options).length ? [" ", h("code", {}, JSON.stringify(one.options))] : null))),
    h("h2", {}, "Settings"), values(Object.fromEntries(
      Object.entries({ folder: run.path, ...rest }).filter(([, value]) => value !== null))),
  ];
}
