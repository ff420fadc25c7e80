// One trial: its config, curves, error, attempts and files.

import { curves, flat } from "./curves.js";
import { h, show } from "./elements.js";
import { bytes, duration, moment } from "./formats.js";
import { fact, pill, values } from "./parts.js";
import { ask, stop as requestStop } from "./server.js";

export function trialPage(view, key, id) {
  const path = `api/runs/${key}/trials/${encodeURIComponent(id)}`;
  const told = h("div");
  const note = h("p.note", { role: "alert" });
  const files = h("div");
  const text = h("div", { "aria-live": "polite" });
  view.replaceChildren(note, told, files, text);

  async function draw() {
    const trial = await ask(path);
    document.title = `trial ${id} – microtune`;
    show(told, story(trial));
    const button = told.querySelector("button.stop");
    if (button) button.onclick = () => stop(trial);
    show(files, listing(trial));
    for (const button of files.querySelectorAll("button")) button.onclick = () => open(button.dataset.path);
  }

  async function stop(trial) {
    if (!confirm(`Stop trial ${trial.row.id} at its next result? That is final; the run goes on.`)) return;
    try {
      await requestStop(path);
      note.textContent = "The trial was asked to stop: its next result is its last.";
    } catch (error) {
      note.textContent = error.message;
    }
  }

  async function open(file) {
    try {
      const found = await ask(`${path}/file?path=${encodeURIComponent(file)}`);
      text.replaceChildren(h("h3", {}, file), found.text === null
        ? h("p.quiet", {}, `${bytes(found.size)} of something that is no text`)
        : h("pre.text", { tabindex: "0" }, (found.cut ? "…\n" : "") + found.text));
    } catch (error) {
      text.replaceChildren(h("p.problem", {}, error.message));
    }
    text.scrollIntoView({ block: "nearest" });
  }

  return { draw, concerns: (news) => key in news };
}

function story(trial) {
  const { row, results, events } = trial;
  const created = events.find((event) => event.kind === "created");
  const config = events.reduce((last, event) => event.body.config ?? last, created?.body.config ?? {});
  const last = results.filter((result) => !result.repeat).at(-1);
  const failures = events.filter((event) => event.body.failure);
  const gone = new Set(events.filter((event) => event.kind === "deleted").map((event) => event.body.path));
  const checkpoints = events.filter((event) => event.kind === "checkpoint" && !gone.has(event.body.path));
  const drawings = curves(results);
  return [
    h("div.title", {}, h("h1", {}, `Trial ${row.id}`), pill(row.state),
      trial.stoppable && h("button.stop", { type: "button" }, "Stop the trial")),
    row.reason && h("p.quiet", {}, row.reason),
    h("dl.facts", {},
      fact("iteration", String(row.iteration ?? "–")), fact("time", duration(row.time) || "–"),
      fact("results", String(results.length)),
      fact("attempts", String(events.filter((event) => event.kind === "launched").length)),
      fact("created", moment(created?.at)), fact("folder", h("code", {}, trial.folder))),
    failures.map(({ at, body }) => h("section", {},
      h("h2", {}, `Error: ${body.failure.kind}`, h("span.quiet", {}, ` ${moment(at)}`)),
      h("pre.text.error", { tabindex: "0" }, body.failure.traceback || body.failure.message))),
    h("div.columns", {},
      h("section", {}, h("h2", {}, "Config"), values(flat(config))),
      h("section", {}, h("h2", {}, "Last result"), last ? values(flat(last.metrics)) : h("p.quiet", {}, "none yet"))),
    drawings.length > 0 && [h("h2", {}, "Curves"), h("div.curves", {}, drawings)],
    checkpoints.length > 0 && [h("h2", {}, "Checkpoints"), h("ul.plain", {}, checkpoints.map(({ body }) => (
      h("li", {}, `iteration ${body.iteration} `, h("code", {}, body.path)))))],
    h("h2", {}, "Events"),
    h("table.events", {}, h("tbody", {}, events.map(({ at, kind, body }) => h("tr", {},
      h("td.quiet", {}, moment(at)), h("td", {}, kind), h("td", {}, telling(kind, body)))))),
    trial.more && h("p.quiet", {}, "and more"),
  ];
}

function telling(kind, body) {
  if (kind === "launched") return `attempt ${body.attempt}`;
  if (kind === "checkpoint") return `iteration ${body.iteration}`;
  if (kind === "decided") return `${body.decision}: ${body.reason} (${body.by})`;
  if (kind === "ended") return `${body.state.toLowerCase()}${body.reason && body.reason !== body.state.toLowerCase() ? `: ${body.reason}` : ""}`;
  return body.reason ?? body.message ?? "";
}

function listing(trial) {
  if (!trial.files.length) return [h("h2", {}, "Files"), h("p.quiet", {}, "none")];
  return [
    h("h2", {}, "Files"),
    h("ul.files", {}, trial.files.map((file) => h("li", {},
      h("button.plain", { type: "button", "data-path": file.path }, file.path), h("span.quiet", {}, ` ${bytes(file.size)}`)))),
    trial.more_files && h("p.quiet", {}, "and more"),
  ];
}
