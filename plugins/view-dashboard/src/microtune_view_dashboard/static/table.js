// The table of trials: all rows in memory, those in sight in the page.

import { h } from "./elements.js";
import { parseFilter } from "./filter.js";
import { duration, spell } from "./formats.js";
import { pill, STATES } from "./parts.js";

const HEIGHT = 32; // of a row, in pixels, as in the style sheet
const MARGIN = 12; // rows beyond the edges
const MOST_COLUMNS = 60;

export class TrialTable {
  /** `remembered` is kept by the page, so that coming back finds the table as it was left. */
  constructor(key, metrics, remembered) {
    this.key = key;
    this.metrics = metrics;
    this.memory = remembered;
    this.rows = [];
    this.shown = [];
    this.columns = [];
    this.input = h("input.filter", {
      type: "search", placeholder: "Filter: accuracy > 0.9   state = failed   any text", "aria-label": "Filter the trials",
      spellcheck: "false", value: remembered.filter ?? "",
      oninput: () => { remembered.filter = this.input.value; this.arrange(); },
    });
    this.chips = h("div.chips", { role: "group", "aria-label": "States" });
    this.count = h("span.quiet", { role: "status" });
    this.head = h("tr");
    this.body = h("tbody");
    this.widths = h("colgroup");
    this.table = h("table.trials", { "aria-label": "Trials" }, this.widths, h("thead", {}, this.head), this.body);
    this.scroller = h("div.scroller", { tabindex: "0", onscroll: () => this.paint() }, this.table);
    this.element = h("section", {}, h("div.tools", {}, this.input, this.chips, this.count), this.scroller);
    new ResizeObserver(() => this.paint()).observe(this.scroller);
  }

  update(rows, columns) {
    this.rows = rows;
    const names = JSON.stringify(columns);
    if (names !== this.names) {
      this.names = names;
      this.columns = make_columns(columns, this.metrics, rows);
      this.memory.sort ??= { id: "trial", down: false };
      this.draw_head();
    }
    this.draw_chips();
    this.arrange();
  }

  draw_head() {
    const { sort } = this.memory;
    this.buttons = new Map();
    this.head.replaceChildren(...this.columns.map((column) => {
      const button = h("button", { type: "button", title: column.label, onclick: () => this.sort_by(column) }, column.label);
      this.buttons.set(column.id, button);
      const order = sort.id === column.id ? (sort.down ? "descending" : "ascending") : "none";
      return h("th", { scope: "col", "aria-sort": order, class: column.numeric ? "number" : null }, button);
    }));
  }

  sort_by(column) {
    const { sort } = this.memory;
    // The first click brings what one looks for to the top: of an objective to be maximised, the largest.
    const down = sort.id === column.id ? !sort.down : column.best_is_high;
    this.memory.sort = { id: column.id, down };
    this.draw_head();
    this.buttons.get(column.id).focus();
    this.arrange();
    this.scroller.scrollTop = 0;
  }

  draw_chips() {
    const counts = new Map();
    for (const row of this.rows) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
    const chips = ["", ...STATES.filter((state) => counts.has(state))].map((state) => h("button.chip", {
      type: "button", "aria-pressed": String((this.memory.state ?? "") === state), "data-state": state.toLowerCase(),
      onclick: () => { this.memory.state = state; this.draw_chips(); this.arrange(); },
    }, state ? `${state.toLowerCase()} ${counts.get(state)}` : `all ${this.rows.length}`));
    const focused = [...this.chips.children].indexOf(document.activeElement);
    this.chips.replaceChildren(...chips);
    if (focused >= 0) chips[focused]?.focus();
  }

  /** Filter and sort. */
  arrange() {
    let keeps = () => true;
    this.input.removeAttribute("aria-invalid");
    let problem = "";
    try {
      keeps = parseFilter(this.input.value, this.columns);
    } catch (error) {
      problem = error.message;
      this.input.setAttribute("aria-invalid", "true");
    }
    const { sort, state } = this.memory;
    const column = this.columns.find((each) => each.id === sort.id) ?? this.columns[0];
    this.shown = this.rows.filter((row) => (!state || row.state === state) && keeps(row));
    this.shown.sort(order(column, sort.down));
    this.count.textContent = problem || (this.shown.length < this.rows.length ? `${this.shown.length} of ${this.rows.length}` : "");
    this.fit_columns();
    this.paint();
  }

  fit_columns() {
    const sample = [...this.shown.slice(0, 40), ...this.shown.slice(-40)];
    const widths = this.columns.map((column) => {
      const longest = Math.max(column.label.length + 2, ...sample.map((row) => column.text(row).length));
      return Math.min(column.widest ?? 24, Math.max(6, longest)) * 8.1 + 24 + (column.extra ?? 0);
    });
    this.widths.replaceChildren(...widths.map((width) => h("col", { style: { width: `${Math.round(width)}px` } })));
    this.table.style.width = `${Math.round(widths.reduce((a, b) => a + b, 0))}px`;
  }

  /** Draw the rows in sight. */
  paint() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / HEIGHT) - MARGIN);
    const last = Math.min(this.shown.length, first + Math.ceil((this.scroller.clientHeight || 600) / HEIGHT) + 2 * MARGIN);
    const focused = document.activeElement?.closest?.("tr[data-trial]")?.dataset.trial;
    const space = (rows) => rows > 0 && h("tr.space", { "aria-hidden": "true" }, h("td", {
      colspan: this.columns.length, style: { height: `${rows * HEIGHT}px` } }));
    const rows = this.shown.slice(first, last).map((row) => this.draw_row(row));
    this.table.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.body.replaceChildren(...[space(first), ...rows, space(this.shown.length - last)].filter(Boolean));
    if (focused) this.body.querySelector(`tr[data-trial="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
  }

  draw_row(row) {
    return h("tr", { "data-trial": row.id }, this.columns.map((column) => {
      const text = column.text(row);
      if (column.id === "trial") return h("th", { scope: "row" }, h("a", { href: `#/run/${this.key}/trial/${row.id}` }, text));
      if (column.id === "state") return h("td", {}, pill(row.state));
      return h("td", { class: column.numeric ? "number" : null, title: text.length > 14 ? text : null }, text);
    }));
  }
}

function make_columns(columns, metrics, rows) {
  const plain = (id, label, get, more = {}) => ({ id, label, get, text: (row) => spell(get(row)), ...more });
  const numeric = (get) => rows.slice(0, 50).every((row) => typeof (get(row) ?? 0) === "number");
  const from = (group, name, more) => {
    const get = (row) => row[group][name] ?? null;
    return plain(`${group}/${name}`, name, get, { numeric: numeric(get), ...more });
  };
  const metric = (name) => from("metrics", name, { best_is_high: metrics.get(name) !== "min" });
  const own = [...metrics.keys()].filter((name) => columns.metrics.includes(name));
  const others = columns.metrics.filter((name) => !metrics.has(name));
  return [
    plain("trial", "trial", (row) => row.id),
    plain("state", "state", (row) => row.state, { text: (row) => row.state.toLowerCase(), extra: 20 }),
    plain("iteration", "iteration", (row) => row.iteration, { numeric: true, best_is_high: true }),
    plain("time", "time", (row) => row.time, { numeric: true, best_is_high: true, text: (row) => duration(row.time) }),
    ...[
      ...own.map(metric),
      ...columns.config.map((name) => from("config", name, {})),
      ...others.map(metric),
    ].slice(0, MOST_COLUMNS),
    plain("reason", "reason", (row) => (row.reason === row.state.toLowerCase() ? null : row.reason), { widest: 48 }),
  ];
}

/** Numbers before texts, what is missing last, whichever way it is sorted; equal rows by number. */
function order(column, down) {
  const rank = (value) => (value === null || value === undefined || value === "NaN" ? 2 : typeof value === "number" ? 0 : 1);
  const sign = down ? -1 : 1;
  return (a, b) => {
    const [x, y] = [column.get(a), column.get(b)];
    const [p, q] = [rank(x), rank(y)];
    if (p !== q) return p - q;
    if (p === 0 && x !== y) return sign * (x - y);
    if (p === 1) {
      const compared = spell(x) < spell(y) ? -1 : spell(x) > spell(y) ? 1 : 0;
      if (compared) return sign * compared;
    }
    return a.number - b.number;
  };
}
