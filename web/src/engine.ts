// One interface, three ways to know what both networks did: run them here, show a recording, or ask a server.

import { type Counted, type Prices } from "./joules";
import { encode, type Population, type Run, runOrdinary, runSpiking } from "./spike";
import { type Document, networkOf, pixelsOf, type RecordedSide } from "./unpack";

export interface Pair {
  ann: Run;
  snn: Run;
  pixels: Float64Array;
  label: number | null; // the right class; null of a drawing
  sample: number | null;
  seed: number;
  elapsed: number; // milliseconds
}

export interface Engine {
  kind: "local" | "replay" | "remote";
  draws: boolean; // whether it takes drawings
  timesteps: number; // the most that it takes
  count: number; // samples of its own
  show(sample: number, timesteps: number, seed: number): Promise<Pair>;
  draw(pixels: Float64Array, timesteps: number, seed: number): Promise<Pair>;
}

export function localEngine(document: Document): Engine {
  const { ann, snn, data } = document.values;
  const ordinary = networkOf(ann, document.bytes), spiking = networkOf(snn, document.bytes);
  const run = (pixels: Float64Array, timesteps: number, seed: number, sample: number | null): Pair => {
    const begin = performance.now();
    const inputs = encode(spiking.encoder, pixels, timesteps, seed);
    return {
      ann: runOrdinary(ordinary, pixels), snn: runSpiking(spiking, inputs, timesteps), pixels, sample, seed,
      label: sample === null ? null : data.labels[sample], elapsed: performance.now() - begin,
    };
  };
  return {
    kind: "local", draws: true, timesteps: spiking.timesteps, count: data.count,
    show: async (sample, timesteps, seed) => run(pixelsOf(document, sample), timesteps, seed, sample),
    draw: async (pixels, timesteps, seed) => run(pixels, timesteps, seed, null),
  };
}

export function replayEngine(document: Document): Engine {
  const { ann, snn, data } = document.values;
  return {
    kind: "replay", draws: false, timesteps: snn.timesteps, count: data.count,
    show: async (sample, timesteps) => {
      const begin = performance.now();
      return {
        ann: recorded(ann, document.bytes, sample, 1), snn: recorded(snn, document.bytes, sample, timesteps),
        pixels: pixelsOf(document, sample), label: data.labels[sample], sample, seed: 0,
        elapsed: performance.now() - begin,
      };
    },
    draw: () => Promise.reject(new Error("a recording shows what was recorded: it takes no drawing")),
  };
}

/** One side of a recording: what was counted of one sample, step by step. */
export function recorded(side: RecordedSide, bytes: ArrayBuffer, sample: number, timesteps: number): Run {
  const { features, classes } = side;
  const steps = Math.min(timesteps, side.timesteps);
  const table = new Float64Array(bytes.slice(side.counts), 0);
  const scores = new Float32Array(bytes.slice(side.scores, side.scores + 4 * (sample + 1) * side.timesteps * classes));
  const own = Float64Array.from(scores.subarray(sample * side.timesteps * classes, (sample * side.timesteps + steps) * classes));
  const answers = Array.from({ length: steps }, (_, t) => {
    const row = own.subarray(t * classes, (t + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
  const populations = side.populations.map((one): Population => {
    const length = side.timesteps * one.recorded;
    const planes = one.planes === null ? null : unpackBits(bytes, one.planes, sample, length).subarray(0, steps * one.recorded);
    const values = one.values === null ? null
      : Float64Array.from(new Float32Array(bytes.slice(one.values + 4 * sample * one.recorded, one.values + 4 * (sample + 1) * one.recorded)));
    return { name: one.name, size: one.recorded, spikes: planes, values, fan: null };
  });
  return {
    timesteps: steps, populations, answers, scores: own,
    counts: (t) => {
      const found: Record<string, number> = { "|": 1 };
      const from = (sample * side.timesteps + Math.max(t, 1) - 1) * features.length;
      features.forEach((name, at) => (found[name] = table[from + at]));
      return found;
    },
    kinds: (t) => side.kinds[sample][Math.max(t, 1) - 1],
  };
}

function unpackBits(bytes: ArrayBuffer, at: number, sample: number, length: number): Uint8Array {
  const stride = Math.ceil(length / 8), packed = new Uint8Array(bytes, at + sample * stride, stride);
  const found = new Uint8Array(length);
  for (let bit = 0; bit < length; bit++) found[bit] = (packed[bit >> 3] >> (7 - (bit & 7))) & 1;
  return found;
}

/** What a bill needs of the first `step` steps of a run. */
export function countedOf(run: Run, step = run.timesteps): Counted {
  return { counts: run.counts(step), kinds: run.kinds(step), timesteps: step };
}

export function profileOf(prices: Prices, side: "ann" | "snn", name: string) {
  return prices.sides[side].profiles.find((one) => one.name === name) ?? prices.sides[side].profiles[0];
}
