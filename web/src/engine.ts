// How the page comes to know what both networks did: by running them here, behind an interface that others may fill.

import { type Counted, type Prices } from "./joules";
import { encode, type Run, runOrdinary, runSpiking } from "./spike";
import { type Document, networkOf, pixelsOf } from "./unpack";

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
    timesteps: spiking.timesteps, count: data.count,
    show: async (sample, timesteps, seed) => run(pixelsOf(document, sample), timesteps, seed, sample),
    draw: async (pixels, timesteps, seed) => run(pixels, timesteps, seed, null),
  };
}

/** What a bill needs of the first `step` steps of a run. */
export function countedOf(run: Run, step = run.timesteps): Counted {
  return { counts: run.counts(step), kinds: run.kinds(step), timesteps: step };
}

export function profileOf(prices: Prices, side: "ann" | "snn", name: string) {
  return prices.sides[side].profiles.find((one) => one.name === name) ?? prices.sides[side].profiles[0];
}
