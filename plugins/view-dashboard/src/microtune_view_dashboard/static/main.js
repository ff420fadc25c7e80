// Which page is shown, and when it is drawn again: at news that concern it, at most once a second, one drawing at a time.

import { h, show } from "./elements.js";
import { overview } from "./overview.js";
import { runPage } from "./run.js";
import { ask, listen, takeToken } from "./server.js";
import { trialPage } from "./trial.js";

const view = document.getElementById("view");
const link = document.getElementById("link");
const trail = document.getElementById("trail");
const EVERY = 1000; // milliseconds between two drawings

let page = null;
let drawing = false;
let wanted = false;

async function draw() {
  if (drawing) {
    wanted = true;
    return;
  }
  drawing = true;
  const shown = page;
  try {
    await shown.draw();
    view.querySelector(":scope > .broken")?.remove();
  } catch (error) {
    if (shown === page && linked) complain(error);
  }
  setTimeout(() => {
    drawing = false;
    if (!wanted) return;
    wanted = false;
    draw();
  }, shown === page ? EVERY : 0);
}

function complain(error) {
  view.querySelector(":scope > .broken")?.remove();
  view.prepend(h("p.problem.broken", { role: "alert" }, error.message));
}

async function go() {
  page?.leave?.();
  const [, kind, key, part, id] = location.hash.split("/").map(decodeURIComponent);
  document.title = "microtune";
  if (kind === "run" && part === "trial") page = trialPage(view, key, id);
  else if (kind === "run") page = runPage(view, key, part);
  else page = overview(view);
  draw();
  let name = key;
  if (kind === "run") name = await ask(`api/runs/${key}`).then((run) => run.name, () => key);
  show(trail, kind === "run" && [h("span", { "aria-hidden": "true" }, "/"), h("a", { href: `#/run/${key}` }, name)],
    part === "trial" && [h("span", { "aria-hidden": "true" }, "/"), h("a", { href: location.hash }, `trial ${id}`)]);
}

let linked = true;
takeToken();
window.addEventListener("hashchange", () => {
  takeToken();
  go();
  view.focus({ preventScroll: true });
  scrollTo(0, 0);
});
listen(
  (news) => { if (page.concerns(news)) draw(); },
  (is) => {
    linked = is;
    link.textContent = is ? "live" : "not connected: trying again";
    link.dataset.state = is ? "live" : "lost";
  },
);
go();
