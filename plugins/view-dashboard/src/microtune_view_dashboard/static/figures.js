// The figures of a run: asked for when they come into sight, and again when there is news, as often as the server advises.

import { h } from "./elements.js";
import { ask } from "./server.js";

let library = null;

function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = h("script", { src: "plotly.js", onload: () => resolve(window.Plotly),
      onerror: () => reject(new Error("plotly is not installed where the dashboard runs: pip install plotly")) });
    document.head.append(script);
  });
  return library;
}

export class FigureGrid {
  constructor(key, names) {
    this.figures = names.map((name) => new Figure(key, name));
    this.element = h("div.figures", {}, names.length
      ? this.figures.map((figure) => figure.element)
      : h("p.quiet", {}, "No figures are installed: ", h("code", {}, "pip install microtune-view-report"), " brings them."));
    this.sight = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        const figure = this.figures.find((each) => each.element === target);
        figure.visible = isIntersecting;
        figure.want();
      }
    }, { rootMargin: "200px" });
    for (const figure of this.figures) this.sight.observe(figure.element);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.figures.forEach((figure) => figure.draw());
    this.dark.addEventListener("change", this.recolour);
  }

  update(seq) {
    for (const figure of this.figures) {
      figure.seq = seq;
      figure.want();
    }
  }

  leave() {
    this.sight.disconnect();
    this.dark.removeEventListener("change", this.recolour);
    for (const figure of this.figures) figure.leave();
  }
}

class Figure {
  constructor(key, name) {
    this.path = `api/runs/${key}/figures/${encodeURIComponent(name)}`;
    this.name = name.replaceAll("-", " ");
    this.plot = h("div.plot");
    this.note = h("p.quiet", {}, "painting …");
    this.element = h("figure.figure", { "data-figure": name, "aria-label": this.name },
      h("figcaption", {}, this.name), this.note, this.plot);
    this.seq = 0; // of the last news
    this.drawn = -1; // what is shown
    this.visible = this.asking = this.gone = false;
    this.timer = 0;
  }

  async want() {
    if (!this.visible || this.asking || this.timer || this.gone || this.drawn >= this.seq) return;
    this.asking = true;
    let again = 5;
    try {
      const answer = await ask(this.path);
      again = answer.again;
      if (answer.problem) {
        this.say(answer.problem);
      } else {
        this.figure = answer.figure;
        await plotly();
        const began = performance.now();
        await this.draw();
        again = Math.max(again, (performance.now() - began) / 100); // seconds: the page has a tenth of its time for a figure
      }
      this.drawn = answer.seq;
    } catch (error) {
      this.say(error.message);
    }
    this.asking = false;
    this.timer = setTimeout(() => { this.timer = 0; this.want(); }, 1000 * again);
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = false;
    this.element.classList.add("empty");
  }

  async draw() {
    if (!this.figure || this.gone) return;
    const Plotly = await plotly();
    if (this.gone) return;
    this.note.hidden = true;
    this.element.classList.remove("empty");
    await Plotly.react(this.plot, this.figure.data, themed(this.figure.layout ?? {}, this.name), {
      responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    });
  }

  leave() {
    this.gone = true;
    clearTimeout(this.timer);
    if (this.plot.data) window.Plotly.purge(this.plot);
  }
}

/** The figure's own layout in the colours of the page; zoom and hidden traces stay when it is drawn anew. */
function themed(layout, name) {
  const style = getComputedStyle(document.documentElement);
  const colour = (variable) => style.getPropertyValue(variable).trim();
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line") };
  const own = layout.template?.layout ?? {};
  const clear = "rgba(0,0,0,0)";
  return {
    ...layout, uirevision: name, autosize: true, width: undefined, paper_bgcolor: clear, plot_bgcolor: clear,
    font: { ...own.font, ...layout.font, color: colour("--ink") },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), ...layout.hoverlabel, font: { color: colour("--ink") } },
    template: { ...layout.template, layout: {
      ...own, xaxis: { ...own.xaxis, ...axis }, yaxis: { ...own.yaxis, ...axis } } },
  };
}
