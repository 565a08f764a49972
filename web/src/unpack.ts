// The block that a page carries: base64 of a raw deflate stream of (length of the JSON, the JSON, the bytes).

import type { Cell, Layer, Network } from "./spike";
import type { Prices } from "./joules";
import type { TakeValues } from "./recorded";

export interface Samples {
  name: string;
  classes: string[];
  height: number;
  width: number;
  levels: number;
  box: number;
  mass: boolean;
  pen: number;
  count: number;
  labels: number[];
  pixels: number;
  drawable?: boolean; // whether a drawing is a sample; a page that runs by itself can always be drawn on
}

export interface NetworkValues {
  label: string;
  names: string[];
  before: number;
  after: number;
  tested: number;
  layers: Array<{ inputs: number; outputs: number; shift: number; weights: number; bias: number | null }>;
  cells?: Cell[];
  encoder?: string;
  decoder?: string;
  timesteps?: number; // of a spiking network
  fans?: Record<string, number>; // of recordings: synapses that leave each place before a layer
  undrawn?: Array<[string, number]>; // populations too large to be drawn, and their neurons
  by_step?: number[];
  sure?: Array<[number, number, number]>;
}

export interface Values {
  schema: string;
  version: string;
  engine?: "local" | "replay" | "remote";
  takes?: Array<{ ann: TakeValues; snn: TakeValues }>; // of a replay, one a sample
  data: Samples;
  ann: NetworkValues;
  snn: NetworkValues;
  prices: Prices;
}

export interface Document {
  values: Values;
  bytes: ArrayBuffer;
}

export async function unpack(packed: string): Promise<Document> {
  const raw = Uint8Array.from(atob(packed.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const whole = await new Response(stream).arrayBuffer();
  const length = new DataView(whole).getUint32(0, true);
  const values = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, length))) as Values;
  if (values.schema !== "spikeledger-live/1") throw new Error(`this page cannot read ${values.schema}`);
  return { values, bytes: whole.slice(4 + length) };
}

export function networkOf(values: NetworkValues, bytes: ArrayBuffer): Network {
  const layers = values.layers.map(({ inputs, outputs, shift, weights, bias }): Layer => {
    const table = new Int8Array(bytes, weights, inputs * outputs);
    const fan = new Int32Array(inputs);
    for (let at = 0; at < table.length; at++) if (table[at]) fan[Math.floor(at / outputs)]++;
    return {
      inputs, outputs, scale: 2 ** -shift, weights: table, fan,
      bias: bias === null ? null : new Int32Array(bytes, bias, outputs),
    };
  });
  return {
    label: values.label, names: values.names, layers, cells: values.cells ?? [], encoder: values.encoder ?? "",
    decoder: values.decoder ?? "", timesteps: values.timesteps ?? 1,
  };
}

/** Synapses that leave each place, by the layer that they go to. */
export function fansOf(document: Document, side: "ann" | "snn"): Record<string, Int32Array> {
  const { fans = {} } = document.values[side], offsets = Object.values(fans).sort((a, b) => a - b);
  const end = (from: number): number => offsets[offsets.indexOf(from) + 1] ?? document.bytes.byteLength;
  return Object.fromEntries(Object.entries(fans).map(([name, from]) => [name, new Int32Array(document.bytes, from, Math.floor((end(from) - from) / 4))]));
}

/** The numbers of one sample in [0, 1], and back to whole levels. */
export function pixelsOf(document: Document, sample: number): Float64Array {
  const { height, width, pixels, levels } = document.values.data;
  const size = height * width;
  return Float64Array.from(new Uint8Array(document.bytes, pixels + sample * size, size), (level) => level / levels);
}
