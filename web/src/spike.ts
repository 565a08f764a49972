// Perceptrons of IF and LIF neurons, and their ordinary twins, counted as a recording counts them.
//
// Weights are int8 times 2^-shift and biases whole numbers of 2^-shift, so every current is exact in float32 whatever
// the order of its sum; the membrane is `H = beta V + I` in float32 with both roundings, as in the library's kernels.

export interface Layer {
  inputs: number;
  outputs: number;
  scale: number; // 2^-shift
  weights: Int8Array; // [inputs][outputs]
  bias: Int32Array | null;
  fan: Int32Array; // existing synapses that leave each input
}

export interface Cell {
  beta: number;
  threshold: number;
  reset: string;
  delay: boolean;
}

export interface Network {
  label: string;
  names: string[]; // layers as a recording names them
  layers: Layer[];
  cells: Cell[];
  encoder: string;
  decoder: string;
  timesteps: number;
}

/** One population of a run: its spikes by step, or the values of an ordinary layer. */
export interface Population {
  name: string;
  size: number;
  spikes: Uint8Array | null; // [T][size]
  values: Float64Array | null; // [size]
  next: string; // the weighted layer that it sends to; empty of the last
  fan: Int32Array | null; // synapses that leave each of them; null where that is not known
}

/** What a network did with one sample. */
export interface Run {
  timesteps: number;
  populations: Population[];
  by_step: boolean; // whether counts are known after each step, or of the whole run alone
  answers: number[]; // by step
  scores: Float64Array; // [T][classes], cumulated spikes; one row of an ordinary network
  counts(step: number): Record<string, number>; // of the first `step` steps, by "layer|event"; "" is the sample itself
  kinds(step: number): string; // classes of what the weighted layers received: "spikes,silent"
}

/** G. Marsaglia's xorshift with 128 bits of state (2003, doi:10.18637/jss.v008.i14), in [0, 1). */
export function randomOf(seed: number): () => number {
  let x = (seed ^ 0x75bcd15) >>> 0, y = 0x159a55e5, z = 0x1f123bb5, w = 0x5491333;
  const next = (): number => {
    const t = x ^ (x << 11);
    x = y; y = z; z = w;
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return w / 4294967296;
  };
  for (let warm = 0; warm < 24; warm++) next();
  return next;
}

/** Samples in [0, 1] to what enters the network at each step, [T][N]. */
export function encode(code: string, values: Float64Array, timesteps: number, seed: number): Float64Array {
  const size = values.length, coded = new Float64Array(timesteps * size);
  let most = 0;
  for (const value of values) most = Math.max(most, value);
  if (code === "direct") for (let t = 0; t < timesteps; t++) coded.set(values, t * size);
  if (!most || code === "direct") return coded;
  const random = randomOf(seed);
  for (let t = 0; t < timesteps; t++)
    for (let i = 0; i < size; i++) {
      const rate = Math.fround(values[i] / most);
      if (code === "rate" && rate) coded[t * size + i] = random() < rate ? 1 : 0;
      if (code === "latency" && rate) coded[t * size + i] = halfEven(Math.fround(Math.fround(1 - rate) * (timesteps - 1))) === t ? 1 : 0;
    }
  return coded;
}

/** Run a spiking network on inputs [T][N]. */
export function runSpiking(network: Network, inputs: Float64Array, timesteps: number): Run {
  const { layers, cells, names } = network;
  const graded = network.encoder === "direct";
  const series: Record<string, Float64Array> = {}; // cumulated
  const count = (name: string) => (series[name] = new Float64Array(timesteps + 1));
  const populations: Population[] = [];
  const first = layers[0].inputs, spikesIn = new Uint8Array(timesteps * first);
  for (let at = 0; at < spikesIn.length; at++) spikesIn[at] = inputs[at] ? 1 : 0;
  if (!graded) {
    populations.push({ name: names[0], size: first, spikes: spikesIn, values: null, next: names[1], fan: layers[0].fan });
    tally(count(`${names[0]}|spike`), spikesIn, first, timesteps, null);
  }
  let arriving = spikesIn;
  layers.forEach((layer, index) => {
    const name = names[2 * index + 1], neuron = names[2 * index + 2];
    const sent = new Uint8Array(timesteps * layer.outputs);
    const active = count(`${neuron}|active_update`);
    step(layer, cells[index], index === 0 && graded ? inputs : arriving, sent, active, timesteps);
    tally(count(`${name}|${index === 0 && graded ? "mac" : "synaptic_op"}`), arriving, layer.inputs, timesteps, layer.fan);
    tally(count(`${neuron}|spike`), sent, layer.outputs, timesteps, null);
    const fan = index + 1 < layers.length ? layers[index + 1].fan : null;
    populations.push({ name: neuron, size: layer.outputs, spikes: sent, values: null, next: names[2 * index + 3] ?? "", fan });
    arriving = sent;
  });
  const classes = layers[layers.length - 1].outputs;
  const { scores, answers } = decode(network.decoder, arriving, classes, timesteps);
  const fixed: Array<[string, number]> = [];
  layers.forEach((layer, index) => {
    const name = names[2 * index + 1], neuron = names[2 * index + 2];
    fixed.push([`${name}|dense_op`, layer.inputs * layer.outputs], [`${neuron}|neuron_update`, layer.outputs]);
    if (layer.bias) fixed.push([`${name}|bias_add`, layer.outputs]);
  });
  const oneSize = graded ? classOf(inputs.subarray(0, first)) : "";
  return {
    timesteps, populations, answers, scores, by_step: true,
    counts: (t) => {
      const found: Record<string, number> = { "|": 1 };
      for (const name in series) found[name] = series[name][t];
      for (const [name, each] of fixed) found[name] = each * t;
      return found;
    },
    kinds: (t) =>
      layers.map((_, index) => {
        if (index === 0 && graded) return oneSize;
        return series[`${names[2 * index]}|spike`][t] > 0 ? "spikes" : "silent";
      }).join(","),
  };
}

/** Run an ordinary network on values [N]. */
export function runOrdinary(network: Network, values: Float64Array): Run {
  const { layers, names } = network;
  const found: Record<string, number> = { "|": 1 };
  const populations: Population[] = [];
  const kinds: string[] = [];
  let arriving = values;
  layers.forEach((layer, index) => {
    const name = names[2 * index], kind = classOf(arriving);
    const out = new Float64Array(layer.outputs);
    let products = 0;
    for (let i = 0; i < layer.inputs; i++) {
      const value = arriving[i];
      if (!value) continue;
      products += layer.fan[i];
      const from = i * layer.outputs;
      for (let j = 0; j < layer.outputs; j++) out[j] += value * layer.weights[from + j];
    }
    for (let j = 0; j < layer.outputs; j++) out[j] = (out[j] + (layer.bias ? layer.bias[j] : 0)) * layer.scale;
    if (kind !== "silent") found[`${name}|${kind === "graded" ? "mac" : "synaptic_op"}`] = products;
    found[`${name}|dense_op`] = layer.inputs * layer.outputs;
    if (layer.bias) found[`${name}|bias_add`] = layer.outputs;
    kinds.push(kind);
    if (index + 1 < layers.length) {
      const relu = names[2 * index + 1];
      for (let j = 0; j < out.length; j++) out[j] = Math.max(out[j], 0);
      found[`${relu}|activation`] = layer.outputs;
      populations.push({ name: relu, size: layer.outputs, spikes: null, values: out, next: names[2 * index + 2], fan: layers[index + 1].fan });
    } else populations.push({ name, size: layer.outputs, spikes: null, values: out, next: "", fan: null });
    arriving = out;
  });
  const joined = kinds.join(",");
  return {
    timesteps: 1, populations, answers: [largest(arriving)], scores: arriving, by_step: true,
    counts: () => found, kinds: () => joined,
  };
}

function step(
  layer: Layer, cell: Cell, arriving: Uint8Array | Float64Array, sent: Uint8Array, active: Float64Array, timesteps: number,
): void {
  const { inputs, outputs, weights, scale } = layer;
  const membrane = new Float32Array(outputs), sums = new Float64Array(outputs);
  const beta = Math.fround(cell.beta), bar = Math.fround(cell.threshold);
  const fired = new Uint8Array(outputs);
  for (let t = 0; t < timesteps; t++) {
    if (layer.bias) sums.set(layer.bias);
    else sums.fill(0);
    for (let i = 0; i < inputs; i++) {
      const value = arriving[t * inputs + i];
      if (!value) continue;
      const from = i * outputs;
      if (value === 1) for (let j = 0; j < outputs; j++) sums[j] += weights[from + j];
      else for (let j = 0; j < outputs; j++) sums[j] += value * weights[from + j];
    }
    let busy = 0;
    for (let j = 0; j < outputs; j++) {
      const current = Math.fround(sums[j] * scale);
      if (current !== 0) busy++;
      let before = membrane[j];
      if (cell.delay && cell.reset === "zero" && fired[j]) before = 0;
      let charged = Math.fround(Math.fround(beta * before) + current);
      if (cell.delay && cell.reset === "subtract" && fired[j]) charged = Math.fround(charged - bar);
      const spike = Math.fround(charged - bar) > 0;
      if (spike) sent[t * outputs + j] = 1;
      if (spike && !cell.delay && cell.reset === "subtract") charged = Math.fround(charged - bar);
      if (spike && !cell.delay && cell.reset === "zero") charged = 0;
      membrane[j] = charged;
      fired[j] = spike ? 1 : 0;
    }
    active[t + 1] = active[t] + busy;
  }
}

function tally(row: Float64Array, spikes: Uint8Array, size: number, timesteps: number, fan: Int32Array | null): void {
  for (let t = 0; t < timesteps; t++) {
    let here = 0;
    for (let i = 0; i < size; i++) if (spikes[t * size + i]) here += fan ? fan[i] : 1;
    row[t + 1] = row[t] + here;
  }
}

/** Cumulated scores [T][classes] and the answer after each step; of equal scores the first class. */
export function decode(
  decoder: string, spikes: Uint8Array, classes: number, timesteps: number,
): { scores: Float64Array; answers: number[] } {
  const scores = new Float64Array(timesteps * classes), answers: number[] = [];
  const seen = new Uint8Array(classes);
  for (let t = 0; t < timesteps; t++) {
    for (let k = 0; k < classes; k++) {
      if (spikes[t * classes + k]) seen[k] = 1;
      const adds = decoder === "latency" ? seen[k] : spikes[t * classes + k];
      scores[t * classes + k] = (t ? scores[(t - 1) * classes + k] : 0) + adds;
    }
    answers.push(largest(scores.subarray(t * classes, (t + 1) * classes)));
  }
  return { scores, answers };
}

function classOf(values: Float64Array): string {
  let size = 0;
  for (const value of values) {
    if (!value) continue;
    if (size && Math.fround(value) !== size) return "graded";
    size = Math.fround(value);
  }
  return size ? "spikes" : "silent";
}

function largest(values: Float64Array): number {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}

function halfEven(value: number): number {
  const near = Math.round(value);
  return Math.abs(value - Math.trunc(value)) === 0.5 && near % 2 ? near - 1 : near;
}
