// What the book's figures compute: the same equations as docs/figures.py, which a test holds them to.

import { encode, randomOf } from "../spike";

export type Settings = Record<string, number>;
export type Given = Record<string, number[][]>; // tables that the page brings along

/** What a figure shows: lines of x and y, or a picture row by row, and a sentence of numbers. */
export interface Shown {
  lines?: Record<string, [number[], number[]]>;
  picture?: number[][];
  says: number[]; // the numbers in its sentence
}

const range = (from: number, to: number, many: number): number[] =>
  Array.from({ length: many }, (_, i) => from + ((to - from) * i) / (many - 1));

/** Chapter 1: a square wave into a leaky bucket, by Euler and exactly. */
function bucket({ dt, tau }: Settings): Shown {
  const steps = Math.round(1.6 / dt), times: number[] = [], euler: number[] = [], exact: number[] = [];
  let a = 0, b = 0, worst = 0;
  for (let t = 0; t < steps; t++) {
    const now = (t + 0.5) * dt < 0.8 ? 0.3 : -0.3;
    a += (dt / tau) * (now - a);
    b += (now - b) * -Math.expm1(-dt / tau);
    times.push((t + 1) * dt);
    euler.push(a);
    exact.push(b);
    worst = Math.max(worst, Math.abs(a - b));
  }
  return { lines: { Euler: [times, euler], exact: [times, exact] }, says: [worst] };
}

/** Spikes a second at a constant current. */
export function rateOf(current: number, tau: number, refractory: number): number {
  return current > 1 ? 1 / (refractory + tau * Math.log1p(1 / (current - 1))) : 0;
}

/** Spikes of one second at a constant current, the refractory time from the crossing on, or from the step's end. */
export function count(current: number, tau: number, refractory: number, dt: number, crossing: boolean): number {
  let v = 0, waiting = 0, spikes = 0;
  for (let t = 0; t < Math.round(1 / dt); t++) {
    waiting -= dt;
    v -= (current - v) * Math.expm1(-Math.min(Math.max(dt - waiting, 0), dt) / tau);
    if (v > 1) {
      waiting = refractory + dt + (crossing ? tau * Math.log1p(-(v - 1) / (current - 1)) : 0);
      v = 0;
      spikes++;
    } else if (v < 0) v = 0;
  }
  return spikes;
}

/** Chapter 2: how often a neuron fires, by formula and counted in steps. */
function firing({ dt, refractory }: Settings): Shown {
  const currents = range(0.5, 8, 31), tau = 0.02;
  const formula = currents.map((each) => rateOf(each, tau, refractory));
  const on = currents.map((each) => count(each, tau, refractory, dt, true));
  const late = currents.map((each) => count(each, tau, refractory, dt, false));
  const off = (found: number[]) => Math.max(...found.map((each, i) => Math.abs(each - formula[i])));
  return {
    lines: { formula: [currents, formula], "from the crossing": [currents, on], "from the step's end": [currents, late] },
    says: [off(late), off(on)],
  };
}

/** Chapter 3: tuning curves of eight neurons. */
function tuning({ tau, refractory }: Settings): Shown {
  const x = range(-1, 1, 101), lines: Shown["lines"] = {};
  let most = 0;
  population(8, 3, tau, refractory).forEach((one, i) => {
    const rates = x.map((each) => rateOf(one.gain * one.encoder * each + one.bias, tau, refractory));
    lines[`neuron ${i + 1}`] = [x, rates];
    most = Math.max(most, ...rates);
  });
  return { lines, says: [most] };
}

interface Neuron { encoder: number; gain: number; bias: number }

/** Neurons with rates of 100 to 200 Hz at their best and starts between -1 and 0.9, as far as the refractory time allows. */
function population(many: number, seed: number, tau: number, refractory: number): Neuron[] {
  const random = randomOf(seed), found: Neuron[] = [];
  for (let i = 0; i < many; i++) {
    const most = Math.min(100 + 100 * random(), 0.9 / Math.max(refractory, 1e-9)), start = -1 + 1.9 * random();
    const top = 1 / -Math.expm1((refractory - 1 / most) / tau), gain = (1 - top) / (start - 1);
    found.push({ encoder: random() < 0.5 ? -1 : 1, gain, bias: 1 - gain * start });
  }
  return found;
}

/** A x = b for a symmetric positive matrix, by Cholesky. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length, l = a.map((row) => row.slice());
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) for (let i = j; i < n; i++) l[i][j] -= l[i][k] * l[j][k];
    const root = Math.sqrt(l[j][j]);
    for (let i = j; i < n; i++) l[i][j] /= root;
  }
  const y = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) y[i] -= l[i][k] * y[k];
    y[i] /= l[i][i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) y[i] -= l[k][i] * y[k];
    y[i] /= l[i][i];
  }
  return y;
}

/** Decoded values of a function at 101 points, by regularised least squares at the same points. */
function decoded(neurons: number, noise: number, power: number): [number[], number[]] {
  const tau = 0.02, refractory = 0.002, x = range(-1, 1, 101), all = population(neurons, 7, tau, refractory);
  const rates = x.map((each) => all.map((one) => rateOf(one.gain * one.encoder * each + one.bias, tau, refractory)));
  const most = Math.max(...rates.flat()), more = x.length * (noise * most) ** 2;
  const gram = Array.from({ length: neurons }, (_, i) =>
    Array.from({ length: neurons }, (_, j) => rates.reduce((sum, row) => sum + row[i] * row[j], i === j ? more : 0)));
  const weights = solve(gram, gram.map((_, i) => rates.reduce((sum, row, m) => sum + row[i] * x[m] ** power, 0)));
  return [x, rates.map((row) => row.reduce((sum, each, i) => sum + each * weights[i], 0))];
}

/** Chapter 7: a value and its square, read from the same rates. */
function decoding({ neurons, noise, power }: Settings): Shown {
  const [x, read] = decoded(neurons, noise, power), wanted = x.map((each) => each ** power);
  const error = Math.sqrt(read.reduce((sum, each, i) => sum + (each - wanted[i]) ** 2, 0) / x.length);
  return { lines: { wanted: [x, wanted], decoded: [x, read] }, says: [error] };
}

/** Chapter 9: where a memory creeps to from nine starts, at rates (no spikes). */
function drift({ neurons, tau }: Settings): Shown {
  const [, read] = decoded(neurons, 0.1, 1), lines: Shown["lines"] = {}, dt = 0.01;
  const at = (value: number): number => {
    const place = Math.min(Math.max((value + 1) * 50, 0), 99.999999), low = Math.floor(place);
    return read[low] + (read[low + 1] - read[low]) * (place - low);
  };
  let moved = 0;
  for (const start of range(-0.8, 0.8, 9)) {
    const times: number[] = [0], held: number[] = [start];
    for (let t = 1; t <= 300; t++) {
      const now = held[t - 1];
      held.push(now + (dt * (at(now) - now)) / tau);
      times.push(t * dt);
    }
    lines[`from ${start.toFixed(1)}`] = [times, held];
    moved += (held[300] - start) ** 2 / 9;
  }
  return { lines, says: [Math.sqrt(moved)] };
}

/** Chapter 5: a digit as spikes, [T][pixels] as a picture of pixels by steps. */
function codes({ digit, code, steps }: Settings, given: Given): Shown {
  const name = ["rate", "latency", "direct"][code], pixels = Float64Array.from(given.digits[digit], (each) => each / 16);
  const sent = encode(name, pixels, steps, 1), size = pixels.length;
  const picture = Array.from({ length: size }, (_, i) => Array.from({ length: steps }, (_, t) => sent[t * size + i]));
  return { picture, says: [sent.reduce((sum, each) => sum + (each ? 1 : 0), 0)] };
}

/** Chapter 6: how many of 40 neurons are no longer a number, the overshoot measured from 1 or from what was crossed. */
function tiring({ tau_threshold, increase }: Settings): Shown {
  const dt = 0.001, tau = 0.02, refractory = 0.002, many = 40, steps = 1500;
  const lines: Shown["lines"] = {}, says: number[] = [];
  for (const naive of [true, false]) {
    const random = randomOf(5), v = new Float64Array(many), w = new Float64Array(many), waiting = new Float64Array(many);
    const times: number[] = [], broken: number[] = [];
    for (let t = 0; t < steps; t++) {
      for (let i = 0; i < many; i++) {
        const now = -1 + 7 * random();
        w[i] *= Math.exp(-dt / tau_threshold);
        const left = Math.min(Math.max(dt - waiting[i], 0), dt);
        waiting[i] = Math.max(waiting[i] - dt, 0);
        v[i] = now + (v[i] - now) * Math.exp(-left / tau);
        const bar = 1 + w[i];
        if (!(v[i] > bar)) continue;
        if (naive) waiting[i] = refractory + dt + tau * Math.log1p(-(v[i] - 1) / (now - 1));
        else {
          const above = v[i] - bar, room = now - bar, share = room > above ? above / room : 1;
          const over = Math.min(Math.max(-tau * Math.log1p(-share), 0), dt);
          waiting[i] = Math.max(refractory - over, 0);
          w[i] += increase * (Math.exp(-over / tau_threshold) - 1);
        }
        v[i] = 0;
        w[i] += increase;
      }
      if (t % 10 === 9) {
        times.push((t + 1) * dt);
        broken.push(waiting.reduce((sum, each, i) => sum + (Number.isNaN(each) || Number.isNaN(v[i]) ? 1 : 0), 0));
      }
    }
    lines[naive ? "measured from 1" : "measured from what was crossed"] = [times, broken];
    says.push(broken[broken.length - 1]);
  }
  return { lines, says };
}

/** Chapter 11: two spikes and a weight; a sender's trace, a receiver's trace. */
function learning({ sender, receiver, tau }: Settings): Shown {
  const up = 0.1, down = 0.12, times = range(0, 100, 101), x: number[] = [], y: number[] = [], weight: number[] = [];
  let a = 0, b = 0, w = 0.5;
  for (let t = 0; t <= 100; t++) {
    a *= Math.exp(-1 / tau);
    b *= Math.exp(-1 / tau);
    if (t === sender) a += 1;
    if (t === sender) w = Math.max(w - down * b, 0);
    if (t === receiver) w = Math.min(w + up * a, 1);
    if (t === receiver) b += 1;
    x.push(a);
    y.push(b);
    weight.push(w);
  }
  return { lines: { "sender's trace": [times, x], "receiver's trace": [times, y], weight: [times, weight] }, says: [w - 0.5] };
}

/** Chapter 13: receptive fields after so many digits, as the page brings them. */
function fields({ stage }: Settings, given: Given): Shown {
  const flat = given[`stage${stage}`], tiles = Math.round(Math.sqrt(flat.length)), side = Math.round(Math.sqrt(flat[0].length));
  const picture = Array.from({ length: tiles * side }, (_, row) =>
    Array.from({ length: tiles * side }, (_, column) =>
      flat[Math.floor(row / side) * tiles + Math.floor(column / side)][(row % side) * side + (column % side)]));
  return { picture, says: [given.digits[0][stage]] };
}

export const MODELS: Record<string, (settings: Settings, given: Given) => Shown> = {
  bucket, firing, tuning, codes, tiring, decoding, drift, learning, fields,
};
