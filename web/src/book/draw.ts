// A figure as SVG: lines with axes, or a picture.

import type { Shown } from "./models";

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 560, HEIGHT = 260, LEFT = 52, RIGHT = 12, TOP = 28, BOTTOM = 40;

function add(parent: Element, name: string, attributes: Record<string, string | number>, text = ""): Element {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  parent.append(made);
  return made;
}

/** Round steps that cut a span into about five. */
export function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? 10 * power;
  const found: number[] = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n++) found.push(Number((n * step).toPrecision(12)));
  return found;
}

export function draw(into: Element, shown: Shown, labels: { x: string; y: string; words: string }): void {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", labels.words);
  if (shown.picture) picture(svg, shown.picture);
  else lines(svg, shown.lines ?? {}, labels);
  into.replaceChildren(svg);
}

function picture(svg: Element, rows: number[][]): void {
  const most = Math.max(...rows.map((row) => Math.max(...row))) || 1;
  const high = HEIGHT - 24, square = rows.length === rows[0].length;
  const wide = square ? high : WIDTH - 2 * RIGHT, left = (WIDTH - wide) / 2;
  add(svg, "rect", { x: left, y: 12, width: wide, height: high, class: "frame" });
  const w = wide / rows[0].length, h = high / rows.length;
  rows.forEach((row, i) => row.forEach((value, j) => {
    if (value) add(svg, "rect", {
      x: (left + j * w).toFixed(2), y: (12 + i * h).toFixed(2), width: w.toFixed(2), height: h.toFixed(2),
      class: "dot", opacity: (value / most).toFixed(3),
    });
  }));
}

function lines(svg: Element, all: Record<string, [number[], number[]]>, labels: { x: string; y: string }): void {
  const xs = Object.values(all).flatMap(([x]) => x), ys = Object.values(all).flatMap(([, y]) => y).filter(Number.isFinite);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  let [low, high] = [Math.min(...ys, 0), Math.max(...ys)];
  if (high - low < 1e-9) high = low + 1;
  [low, high] = [Math.max(low, -1e6), Math.min(high, 1e6)];
  const x = (value: number) => LEFT + ((value - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  for (const each of ticks(left, right)) add(svg, "text", { x: x(each), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(each));
  for (const each of ticks(low, high)) {
    add(svg, "line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(each), y2: y(each), class: "grid" });
    add(svg, "text", { x: LEFT - 6, y: y(each) + 4, "text-anchor": "end" }, String(each));
  }
  add(svg, "text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, labels.x);
  add(svg, "text", { transform: `translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, labels.y);
  const names = Object.keys(all), few = names.length <= 4, each = (WIDTH - LEFT - RIGHT) / names.length;
  names.forEach((name, i) => {
    const points = all[name][0].map((one, k) => [one, all[name][1][k]]).filter(([, value]) => Number.isFinite(value));
    add(svg, "polyline", { points: points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" "), class: few ? `line line${i}` : "line line0" });
    if (!few) return;  // names stand above the lines, never on them
    add(svg, "line", { x1: LEFT + i * each, x2: LEFT + i * each + 20, y1: 12, y2: 12, class: `line line${i}` });
    add(svg, "text", { x: LEFT + i * each + 25, y: 16 }, name);
  });
}
