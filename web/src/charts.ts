// Drawing: every chart has fixed decades, so that nothing moves but the data. Blue discs ANN, orange diamonds SNN.

import type { Three } from "./joules";
import { si, times } from "./format";
import type { Population } from "./spike";

export interface Colours { ink: string; muted: string; grid: string; ann: string; snn: string; good: string; surface: string }

export function coloursOf(): Colours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return { ink: of("ink"), muted: of("muted"), grid: of("grid"), ann: of("ann"), snn: of("snn"), good: of("good"), surface: of("surface") };
}

export type Pen = CanvasRenderingContext2D & { wide: number; high: number };

const SIZES = new Map<HTMLCanvasElement, [number, number]>();

/** Sizes of canvases are asked for once, for asking makes the browser lay out the page; `changed` hears of other ones. */
export function watchSizes(changed: () => void): void {
  const watcher = new ResizeObserver((entries) => {
    let other = false;
    for (const { target } of entries) {
      const canvas = target as HTMLCanvasElement, [wide, high] = SIZES.get(canvas) ?? [0, 0];
      if (canvas.clientWidth === wide && canvas.clientHeight === high) continue;
      SIZES.delete(canvas);
      other = true;
    }
    if (other) changed();
  });
  for (const canvas of document.querySelectorAll("canvas")) watcher.observe(canvas);
}

/** A cleared canvas in CSS pixels. */
export function penOf(canvas: HTMLCanvasElement): Pen {
  const by = Math.min(devicePixelRatio || 1, 2);
  if (!SIZES.has(canvas)) SIZES.set(canvas, [canvas.clientWidth, canvas.clientHeight]);
  const [wide, high] = SIZES.get(canvas) as [number, number];
  if (canvas.width !== Math.round(wide * by) || canvas.height !== Math.round(high * by)) {
    canvas.width = Math.round(wide * by);
    canvas.height = Math.round(high * by);
  }
  const pen = canvas.getContext("2d") as Pen;
  pen.setTransform(by, 0, 0, by, 0, 0);
  pen.clearRect(0, 0, wide, high);
  pen.wide = wide;
  pen.high = high;
  pen.font = "11px system-ui, sans-serif";
  return pen;
}

export function drawPixels(canvas: HTMLCanvasElement, pixels: ArrayLike<number>, width: number, colour: string): Pen {
  const pen = penOf(canvas), each = pen.wide / width, height = pixels.length / width;
  pen.fillStyle = colour;
  for (let at = 0; at < width * height; at++) {
    if (!pixels[at]) continue;
    pen.globalAlpha = Math.min(Number(pixels[at]), 1);
    pen.fillRect((at % width) * each + 0.5, Math.floor(at / width) * each + 0.5, each - 1, each - 1);
  }
  pen.globalAlpha = 1;
  return pen;
}

/** The first hidden layer of an ordinary network as a grid: the darker, the larger. */
export function drawValues(canvas: HTMLCanvasElement, layer: Population, colour: string): void {
  const pen = penOf(canvas), values = layer.values ?? new Float64Array(0);
  const columns = Math.ceil(Math.sqrt((values.length * pen.wide) / pen.high)), rows = Math.ceil(values.length / columns);
  const wide = pen.wide / columns, high = pen.high / rows;
  let most = 0;
  for (const value of values) most = Math.max(most, value);
  pen.fillStyle = colour;
  values.forEach((value, at) => {
    if (value <= 0) return;
    pen.globalAlpha = 0.15 + 0.85 * (value / most);
    pen.fillRect((at % columns) * wide + 0.5, Math.floor(at / columns) * high + 0.5, wide - 1, high - 1);
  });
  pen.globalAlpha = 1;
}

/** Neurons by steps: a mark is a spike; what lies behind the cursor has happened. */
export function drawRaster(
  canvas: HTMLCanvasElement, layer: Population, timesteps: number, cursor: number, picked: number | null, colours: Colours,
): void {
  const pen = penOf(canvas), wide = pen.wide / timesteps, high = pen.high / layer.size;
  pen.fillStyle = colours.grid;
  if (cursor > 0) pen.fillRect((cursor - 1) * wide, 0, wide, pen.high);
  if (picked !== null) pen.fillRect(0, picked * high - 1, pen.wide, Math.max(high, 2) + 2);
  pen.fillStyle = colours.snn;
  const spikes = layer.spikes ?? new Uint8Array(0);
  for (let t = 0; t < Math.min(cursor, timesteps); t++)
    for (let i = 0; i < layer.size; i++)
      if (spikes[t * layer.size + i]) pen.fillRect(t * wide + 1, i * high, Math.max(wide - 2, 1), Math.max(high, 1.4));
}

export function drawBars(
  canvas: HTMLCanvasElement, scores: ArrayLike<number>, labels: string[], answer: number, colour: string, colours: Colours, most: number,
): void {
  const pen = penOf(canvas), wide = pen.wide / labels.length, high = pen.high - 16;
  pen.textAlign = "center";
  labels.forEach((label, at) => {
    const share = Math.max(0, Number(scores[at]) || 0) / (most || 1);
    pen.fillStyle = colour;
    pen.globalAlpha = at === answer ? 1 : 0.4;
    pen.fillRect(at * wide + 2, high * (1 - Math.min(share, 1)), wide - 4, high * Math.min(share, 1));
    pen.globalAlpha = 1;
    pen.fillStyle = at === answer ? colours.ink : colours.muted;
    if (wide > 16 || label.length < 3) pen.fillText(label.slice(0, Math.max(1, Math.floor(wide / 7))), at * wide + wide / 2, pen.high - 4);
  });
}

/** A logarithmic axis over whole decades. */
export class Axis {
  constructor(public low: number, public high: number, public from: number, public to: number) {}
  at(value: number): number {
    if (!(value > 0)) return this.from;
    const share = (Math.log10(value) - this.low) / (this.high - this.low);
    return this.from + Math.min(Math.max(share, 0), 1) * (this.to - this.from);
  }
}

/** Decades that hold these values, grown in threes so that they seldom change. */
export function decades(values: number[], before: [number, number] | null): [number, number] {
  const found = values.filter((one) => one > 0 && Number.isFinite(one)).map(Math.log10);
  if (!found.length) return before ?? [-9, -3];
  const low = Math.floor(Math.min(...found)), high = Math.ceil(Math.max(...found));
  if (before && low >= before[0] && high <= before[1]) return before;
  return [Math.min(low, before?.[0] ?? low), Math.max(high, before?.[1] ?? high, low + 2)];
}

function mark(pen: Pen, x: number, y: number, side: "ann" | "snn", colour: string, hollow: boolean): void {
  pen.beginPath();
  if (side === "ann") pen.arc(x, y, 6, 0, 7);
  else for (const [dx, dy] of [[0, -7.5], [7.5, 0], [0, 7.5], [-7.5, 0]]) pen.lineTo(x + dx, y + dy);
  pen.closePath();
  pen.fillStyle = pen.strokeStyle = colour;
  pen.lineWidth = 1.8;
  if (hollow) pen.stroke();
  else pen.fill();
}

export function drawRuler(
  canvas: HTMLCanvasElement, sides: Record<"ann" | "snn", { all: Three; moving: number }>, span: [number, number], ranges: boolean, colours: Colours,
): void {
  const pen = penOf(canvas), axis = new Axis(span[0], span[1], 34, pen.wide - 34), every = pen.wide < 420 && span[1] - span[0] > 4 ? 3 : 1;
  pen.textAlign = "center";
  for (let decade = span[0]; decade <= span[1]; decade++) {
    const x = axis.at(10 ** decade);
    pen.fillStyle = colours.grid;
    pen.fillRect(x, 0, 1, pen.high - 20);
    pen.fillStyle = colours.muted;
    if ((decade - span[0]) % every === 0) pen.fillText(si(10 ** decade, "J").replace(".00", "").replace(".0", ""), x, pen.high - 6);
  }
  for (const [at, side] of (["ann", "snn"] as const).entries()) {
    const y = 24 + at * 40, { all, moving } = sides[side], colour = colours[side];
    pen.fillStyle = colour;
    pen.globalAlpha = 0.28;
    if (ranges && all[1]) pen.fillRect(axis.at(all[0]), y - 10, Math.max(axis.at(all[2]) - axis.at(all[0]), 2), 20);
    pen.globalAlpha = 1;
    if (all[1] && moving && Math.abs(moving - all[1]) > 1e-3 * all[1]) mark(pen, axis.at(moving), y, side, colour, true);
    if (all[1]) mark(pen, axis.at(all[1]), y, side, colour, false); // nothing is nowhere on a scale of ratios
    pen.textAlign = "left";
    pen.fillStyle = colours.ink;
    pen.fillText(side.toUpperCase(), 2, y + 4);
    pen.textAlign = "center";
  }
}

export interface Series { ann: Three[]; snn: Three[] }

/** Bands over digits, on a logarithmic axis with whole decades. */
export function drawSeries(canvas: HTMLCanvasElement, series: Series, span: [number, number], unit: string, ranges: boolean, colours: Colours): void {
  const pen = penOf(canvas), axis = new Axis(span[0], span[1], pen.high - 8, 8), left = 50;
  decadesOf(pen, axis, span, left, (value) => si(value, unit), colours);
  const most = 200, step = (pen.wide - left) / most;
  for (const side of ["ann", "snn"] as const) {
    const rows = series[side].slice(-most), x = (at: number): number => left + (at + 0.5) * step;
    if (rows.length < 1) continue;
    pen.fillStyle = pen.strokeStyle = colours[side];
    pen.globalAlpha = 0.22;
    if (ranges) {
      pen.beginPath();
      rows.forEach((row, at) => { pen.lineTo(x(at) - step / 2, axis.at(row[2])); pen.lineTo(x(at) + step / 2, axis.at(row[2])); });
      for (let at = rows.length - 1; at >= 0; at--) { pen.lineTo(x(at) + step / 2, axis.at(rows[at][0])); pen.lineTo(x(at) - step / 2, axis.at(rows[at][0])); }
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 1.8;
    pen.setLineDash(side === "ann" ? [] : [5, 2]);
    pen.beginPath();
    rows.forEach((row, at) => pen.lineTo(x(at), axis.at(row[1])));
    if (rows.length === 1) pen.lineTo(x(0) + 3, axis.at(rows[0][1]));
    pen.stroke();
    pen.setLineDash([]);
  }
}

/** ANN over SNN of all digits so far, as a band around 1; coloured where the whole band is on one side. */
export function drawRatio(canvas: HTMLCanvasElement, rows: Three[], span: [number, number], ranges: boolean, colours: Colours): void {
  const pen = penOf(canvas), axis = new Axis(span[0], span[1], pen.high - 8, 8), left = 50;
  decadesOf(pen, axis, span, left, times, colours);
  pen.fillStyle = colours.ink;
  pen.fillRect(left, axis.at(1), pen.wide - left, 1.4);
  const most = 200, step = (pen.wide - left) / most, shown = rows.slice(-most);
  for (const [at, [low, middle, high]] of shown.entries()) {
    const x = left + at * step;
    pen.fillStyle = low > 1 ? colours.snn : high < 1 ? colours.ann : colours.muted;
    pen.globalAlpha = 0.35;
    if (ranges) pen.fillRect(x, axis.at(high), step + 0.4, Math.max(axis.at(low) - axis.at(high), 1));
    pen.globalAlpha = 1;
    pen.fillRect(x, axis.at(middle) - 1, step + 0.4, 2);
  }
  pen.fillStyle = colours.muted;
  pen.textAlign = "right";
  pen.fillText("SNN needs less ↑", pen.wide - 2, 12);
  pen.fillText("ANN needs less ↓", pen.wide - 2, pen.high - 4);
}

function decadesOf(pen: Pen, axis: Axis, span: [number, number], left: number, told: (value: number) => string, colours: Colours): void {
  pen.textAlign = "right";
  const every = Math.max(1, Math.ceil((span[1] - span[0]) / 5));
  for (let decade = span[0]; decade <= span[1]; decade++) {
    const y = axis.at(10 ** decade);
    pen.fillStyle = colours.grid;
    pen.fillRect(left, y, pen.wide - left, 1);
    pen.fillStyle = colours.muted;
    if ((decade - span[0]) % every === 0) pen.fillText(told(10 ** decade).replace(/\.0+(?= |$)/, ""), left - 5, y + 4);
  }
}
