// What the visitor set, whole, in the address of the page.

import type { StaticMode } from "./joules";

export interface State {
  ann: string;
  snn: string;
  timesteps: number;
  rate: number;
  static: StaticMode;
  memory: boolean;
  ranges: boolean;
  flow: string;
  sure: number; // margin in spikes; 0 is never
  speed: number;
  sample: number;
  seed: number;
  running: boolean;
}

/** What there is to choose from, where a link names one of several. */
export type Choices = Record<"ann" | "snn" | "static" | "flow" | "sure", readonly string[]>;

/** The state that a link asks for, and what it asks for that there is not. */
export function readState(hash: string, first: State, choices: Choices): { state: State; unknown: Array<[keyof Choices, string]> } {
  const given = new URLSearchParams(hash.replace(/^#/, "")), found = { ...first };
  const unknown: Array<[keyof Choices, string]> = [];
  const choice = (name: keyof Choices, before: string): string => {
    const value = given.get(name);
    if (value === null || choices[name].includes(value)) return value ?? before;
    unknown.push([name, value]);
    return before;
  };
  const number = (name: string, low: number, high: number, before: number): number => {
    const value = Number(given.get(name));
    return given.has(name) && Number.isFinite(value) ? Math.min(Math.max(value, low), high) : before;
  };
  found.ann = choice("ann", first.ann);
  found.snn = choice("snn", first.snn);
  found.timesteps = Math.round(number("T", 1, first.timesteps, first.timesteps));
  found.rate = number("rate", 0.1, 1e5, first.rate);
  found.static = choice("static", first.static) as StaticMode;
  if (given.has("memory")) found.memory = given.get("memory") !== "0";
  if (given.has("ranges")) found.ranges = given.get("ranges") !== "0";
  found.flow = choice("flow", first.flow);
  found.sure = Number(choice("sure", String(first.sure)));
  found.speed = Math.round(number("speed", 1, 61, first.speed));
  found.sample = Math.round(number("digit", 0, 1e6, first.sample));
  found.seed = Math.round(number("seed", 0, 2 ** 31, first.seed));
  if (given.has("run")) found.running = given.get("run") !== "0";
  return { state: found, unknown };
}

export function writeState(state: State): string {
  return `#${new URLSearchParams({
    ann: state.ann, snn: state.snn, T: String(state.timesteps), rate: String(Number(state.rate.toPrecision(3))),
    static: state.static, memory: state.memory ? "1" : "0", ranges: state.ranges ? "1" : "0", flow: state.flow,
    sure: String(state.sure), speed: String(state.speed), digit: String(state.sample), seed: String(state.seed),
    run: state.running ? "1" : "0",
  })}`;
}
