// What a network did with one sample, as it was recorded elsewhere: the page shows it as it shows its own runs.

import type { Population, Run } from "./spike";

/** As `spikeledger.live.takes` tells it; arrays stand at an offset of the page's block, or as base64 in the message. */
export interface TakeValues {
  timesteps: number;
  answers: number[];
  by_step: boolean;
  scores: number[];
  counts: Record<string, number | number[]>; // after each step; one number where every step adds the same
  arrived: Array<[string, number]>; // of each weighted layer: the class of its inputs, and the first step with any
  populations: Array<{ name: string; size: number; next: string; spikes: number | string | null; values: number | string | null }>;
}

/** Where the bytes of an array are. */
export type Bytes = (where: number | string, length: number) => Uint8Array;

export const within = (block: ArrayBuffer): Bytes => (where, length) =>
  typeof where === "number" ? new Uint8Array(block, where, length) : Uint8Array.from(atob(where), (letter) => letter.charCodeAt(0));

export function runOf(take: TakeValues, bytes: Bytes, fans: Record<string, Int32Array>): Run {
  const { timesteps, answers, counts, arrived, by_step } = take;
  const populations = take.populations.map(({ name, size, next, spikes, values }): Population => ({
    name, size, next, fan: fans[next] ?? null,
    spikes: spikes === null ? null : unpacked(bytes(spikes, Math.ceil((timesteps * size) / 8)), timesteps * size),
    values: values === null ? null : Float64Array.from(bytes(values, size)),
  }));
  const at = (row: number | number[], step: number): number => {
    if (typeof row === "number") return by_step ? (row / timesteps) * step : row;
    return row[by_step ? step - 1 : row.length - 1];
  };
  return {
    timesteps, answers, populations, by_step, scores: Float64Array.from(take.scores),
    counts: (step) => {
      const found: Record<string, number> = { "|": 1 };
      for (const name in counts) found[name] = at(counts[name], step);
      return found;
    },
    kinds: (step) => arrived.map(([kind, since]) => (!by_step || step >= since ? kind : "silent")).join(","),
  };
}

/** The first steps of a run, as though it had been stopped there. */
export function stopped(run: Run, timesteps: number): Run {
  if (timesteps >= run.timesteps || !run.by_step) return run;
  const classes = run.scores.length / run.timesteps;
  return {
    ...run, timesteps, answers: run.answers.slice(0, timesteps), scores: run.scores.subarray(0, timesteps * classes),
    populations: run.populations.map((one) => (one.spikes ? { ...one, spikes: one.spikes.subarray(0, timesteps * one.size) } : one)),
  };
}

function unpacked(bits: Uint8Array, length: number): Uint8Array {
  const found = new Uint8Array(length);
  for (let at = 0; at < length; at++) found[at] = (bits[at >> 3] >> (at & 7)) & 1;
  return found;
}
