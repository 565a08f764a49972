// How the page comes to know what both networks did, behind one interface: it runs them, replays recordings, or asks a server.

import { type Counted, type Prices } from "./joules";
import { runOf, stopped, within } from "./recorded";
import { Line, type News, type Takes } from "./remote";
import { encode, type Run, runOrdinary, runSpiking } from "./spike";
import { type Document, fansOf, networkOf, pixelsOf } from "./unpack";

export interface Pair {
  ann: Run;
  snn: Run;
  pixels: Float64Array;
  label: number | null; // the right class; null of a drawing
  sample: number | null;
  seed: number;
}

export interface Engine {
  kind: "local" | "replay" | "remote";
  timesteps: number; // the most that it takes
  count: number; // samples of its own
  show(sample: number, timesteps: number, seed: number): Promise<Pair>;
  draw: ((pixels: Float64Array, timesteps: number, seed: number) => Promise<Pair>) | null;
}

export function engineOf(document: Document, news: News): Engine {
  const kind = document.values.engine ?? "local";
  return kind === "remote" ? remoteEngine(document, news) : kind === "replay" ? replayEngine(document) : localEngine(document);
}

export function localEngine(document: Document): Engine {
  const { ann, snn, data } = document.values;
  const ordinary = networkOf(ann, document.bytes), spiking = networkOf(snn, document.bytes);
  const run = (pixels: Float64Array, timesteps: number, seed: number, sample: number | null): Pair => {
    const inputs = encode(spiking.encoder, pixels, timesteps, seed);
    return {
      ann: runOrdinary(ordinary, pixels), snn: runSpiking(spiking, inputs, timesteps), pixels, sample, seed,
      label: sample === null ? null : data.labels[sample],
    };
  };
  return {
    kind: "local", timesteps: spiking.timesteps, count: data.count,
    show: async (sample, timesteps, seed) => run(pixelsOf(document, sample), timesteps, seed, sample),
    draw: async (pixels, timesteps, seed) => run(pixels, timesteps, seed, null),
  };
}

export function replayEngine(document: Document): Engine {
  const { takes = [], snn, data } = document.values, read = reader(document);
  return {
    kind: "replay", timesteps: snn.timesteps ?? 1, count: takes.length, draw: null,
    show: async (sample, timesteps, seed) => ({
      ...read(takes[sample], timesteps), pixels: pixelsOf(document, sample), label: data.labels[sample], sample, seed,
    }),
  };
}

export function remoteEngine(document: Document, news: News): Engine {
  const { snn, data } = document.values, read = reader(document);
  const line = new Line(`${location.origin.replace(/^http/, "ws")}/live${location.search}`, news);
  return {
    kind: "remote", timesteps: snn.timesteps ?? 1, count: data.count,
    show: async (sample, timesteps, seed) => ({
      ...read(await line.ask({ ask: "sample", sample, seed }), timesteps), pixels: pixelsOf(document, sample),
      label: data.labels[sample], sample, seed,
    }),
    draw: data.drawable ? async (pixels, timesteps, seed) => ({
      ...read(await line.ask({ ask: "drawing", pixels: [...pixels], seed }), timesteps), pixels, label: null, sample: null, seed,
    }) : null,
  };
}

function reader(document: Document): (takes: Takes, timesteps: number) => { ann: Run; snn: Run } {
  const bytes = within(document.bytes), fans = { ann: fansOf(document, "ann"), snn: fansOf(document, "snn") };
  return (takes, timesteps) => ({
    ann: runOf(takes.ann, bytes, fans.ann), snn: stopped(runOf(takes.snn, bytes, fans.snn), timesteps),
  });
}

/** What a bill needs of the first `step` steps of a run. */
export function countedOf(run: Run, step = run.timesteps): Counted {
  return { counts: run.counts(step), kinds: run.kinds(step), timesteps: run.by_step ? step : run.timesteps };
}

export function profileOf(prices: Prices, side: "ann" | "snn", name: string) {
  return prices.sides[side].profiles.find((one) => one.name === name) ?? prices.sides[side].profiles[0];
}
