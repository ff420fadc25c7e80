// The curves of one trial: small drawings, one for each metric that is a number.

import { h, svg } from "./elements.js";
import { number } from "./formats.js";

const [WIDTH, HEIGHT] = [320, 150];
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 10, 10, 22];
const MOST_POINTS = 600;

export function curves(results) {
  const names = new Map();
  for (const { iteration, metrics, repeat } of results) {
    if (repeat) continue;
    for (const [name, value] of Object.entries(flat(metrics))) {
      if (!names.has(name)) names.set(name, []);
      if (typeof value === "number") names.get(name).push([iteration, value]);
    }
  }
  return [...names].filter(([, points]) => points.length > 1).slice(0, 24).map(([name, points]) => curve(name, points));
}

function curve(name, all) {
  const step = Math.ceil(all.length / MOST_POINTS);
  const points = all.filter((_, i) => i % step === 0 || i === all.length - 1);
  const [x0, x1] = bounds(points.map(([x]) => x));
  const [y0, y1] = bounds(points.map(([, y]) => y));
  const px = (x) => LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const py = (y) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const line = points.map(([x, y], i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");
  const ticks = [y0, (y0 + y1) / 2, y1].map((y) => [
    svg("line.grid", { x1: LEFT, x2: WIDTH - RIGHT, y1: py(y), y2: py(y) }),
    svg("text", { x: LEFT - 6, y: py(y) + 4, "text-anchor": "end" }, number(Number(y.toPrecision(3))))]);
  const ends = [[x0, "start"], [x1, "end"]].map(([x, anchor]) => (
    svg("text", { x: px(x), y: HEIGHT - 6, "text-anchor": anchor }, String(x))));
  const mark = svg("circle.mark", { r: 3.5, visibility: "hidden" });
  const told = h("span.quiet", {}, number(points.at(-1)[1]));
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name} over iterations` },
    ticks, ends, svg("path.curve", { d: line }), mark);
  drawing.addEventListener("pointermove", (event) => {
    const at = (event.offsetX / drawing.clientWidth) * WIDTH;
    const [x, y] = points.reduce((best, point) => (Math.abs(px(point[0]) - at) < Math.abs(px(best[0]) - at) ? point : best));
    for (const [attribute, value] of [["cx", px(x)], ["cy", py(y)], ["visibility", "visible"]]) mark.setAttribute(attribute, value);
    told.textContent = `${number(y)} at ${x}`;
  });
  return h("figure.small", {}, h("figcaption", {}, h("b", {}, name), " ", told), drawing);
}

function bounds(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

export function flat(values, before = "") {
  return Object.assign({}, ...Object.entries(values).map(([name, value]) => (
    value && typeof value === "object" && !Array.isArray(value) ? flat(value, `${before}${name}/`) : { [before + name]: value })));
}
