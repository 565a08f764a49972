// Who costs less, as `spikeledger.study.verdicts` says it: exact where no price within its range turns it, else a
// probability, and the price that is worth knowing better. A number that both sides pay is one number.
//
// The extremes of `SNN - ANN` and of `ANN / SNN` lie at corners of the ranges; where unknowns multiply, as many are tried
// at both ends as leave one in each product (Charnes & Cooper 1962, Dinkelbach 1967).

import { type Entry, type Prices, product, type Unknown } from "./joules";
import { randomOf } from "./spike";

/** A cost as products of unknowns: "3,17" -> its coefficient. */
export type Cost = Map<string, number>;

export interface Verdict {
  standing: "exact" | "likely" | "equal" | "open" | "none";
  winner: "ann" | "snn" | "";
  ratio: [number, number]; // ANN / SNN, whatever the prices
  probability: number | null; // that the SNN costs less
  ratio95: [number, number] | null;
  hangs: Array<{ unknown: number; share: number }>; // worth knowing better, most first
}

const DRAWS = 2000, LIKELY = 0.95, EQUAL = 1.1, WORTH = 0.01;

export function costOf(entries: Entry[], into: Cost = new Map()): Cost {
  for (const one of entries) {
    const key = [...one.unknowns].sort((a, b) => a - b).join(",");
    into.set(key, (into.get(key) ?? 0) + one.amount);
  }
  return into;
}

export function valueOf(prices: Prices, cost: Cost, end: number): number {
  let sum = 0;
  for (const [key, amount] of cost) sum += amount * product(prices, members(key), end);
  return sum;
}

/** The exact interval of ANN / SNN and of SNN - ANN. */
export function extremes(prices: Prices, ann: Cost, snn: Cost): { difference: [number, number]; ratio: [number, number] } {
  const table = new Table(prices, ann, snn);
  const low = table.least(table.minus(table.snn, table.ann, 1)).value;
  const high = -table.least(table.minus(table.ann, table.snn, 1)).value;
  const lowest = lowestRatio(table, table.ann, table.snn);
  if (table.least(table.snn).value <= 0) return { difference: [low, high], ratio: [lowest, Infinity] };
  const inverse = lowestRatio(table, table.snn, table.ann);
  return { difference: [low, high], ratio: [lowest, inverse > 0 ? 1 / inverse : Infinity] };
}

export function judge(prices: Prices, ann: Cost, snn: Cost): Verdict {
  const none: Verdict = { standing: "none", winner: "", ratio: [1, 1], probability: null, ratio95: null, hangs: [] };
  if (!valueOf(prices, ann, 2) && !valueOf(prices, snn, 2)) return none;
  const { difference, ratio } = extremes(prices, ann, snn);
  const within = Math.max(ratio[1], ratio[0] > 0 ? 1 / ratio[0] : Infinity);
  if (difference[0] > 0 || difference[1] < 0)
    return { ...none, standing: "exact", winner: difference[0] > 0 ? "ann" : "snn", ratio };
  const drawn = draw(prices, ann, snn);
  const found = { ...none, ratio, ...drawn };
  if (within <= EQUAL) return { ...found, standing: "equal" };
  if (drawn.probability >= LIKELY) return { ...found, standing: "likely", winner: "snn" };
  if (1 - drawn.probability >= LIKELY) return { ...found, standing: "likely", winner: "ann" };
  return { ...found, standing: "open" };
}

/** How far each number of a cost's difference moves it, from its low to its high end, widest first: a tornado. */
export function swings(prices: Prices, ann: Cost, snn: Cost): Array<{ unknown: number; low: number; high: number }> {
  const both: Cost = new Map(snn);
  for (const [key, amount] of ann) both.set(key, (both.get(key) ?? 0) - amount);
  const seen = new Map<number, [number, number]>();
  for (const [key, amount] of both) {
    const inside = members(key), nominal = product(prices, inside, 1);
    for (const one of inside) {
      const [, low, middle, high] = prices.unknowns[one];
      const found = seen.get(one) ?? [0, 0];
      if (middle) for (const [at, end] of [low, high].entries()) found[at] += amount * nominal * (end / middle - 1);
      seen.set(one, found);
    }
  }
  const rows = [...seen].map(([unknown, [low, high]]) => ({ unknown, low, high }));
  return rows.sort((a, b) => Math.abs(b.high - b.low) - Math.abs(a.high - a.low));
}

function members(key: string): number[] {
  return key ? key.split(",").map(Number) : [];
}

const DRAWN = new WeakMap<Unknown, Float64Array>(); // one number has the same draws wherever it is asked for

function draw(prices: Prices, ann: Cost, snn: Cost) {
  const unknowns = [...new Set([...ann.keys(), ...snn.keys()].flatMap(members))];
  const values = new Map<number, Float64Array>();
  for (const one of unknowns) {
    const before = DRAWN.get(prices.unknowns[one]);
    if (before) { values.set(one, before); continue; }
    const [name, low, , high] = prices.unknowns[one];
    let seed = 7;
    for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) | 0;
    const random = randomOf(seed), drawn = new Float64Array(DRAWS);
    // only the ends are known, on a scale of ratios: log-uniform; from 0 the scale is linear
    for (let at = 0; at < DRAWS; at++) drawn[at] = low > 0 ? low * (high / low) ** random() : high * random();
    DRAWN.set(prices.unknowns[one], drawn);
    values.set(one, drawn);
  }
  const costs = [ann, snn].map((cost) => {
    const sum = new Float64Array(DRAWS);
    for (const [key, amount] of cost) {
      const inside = members(key).map((one) => values.get(one) as Float64Array);
      for (let at = 0; at < DRAWS; at++) {
        let each = amount;
        for (const one of inside) each *= one[at];
        sum[at] += each;
      }
    }
    return sum;
  });
  const gain = costs[0].map((one, at) => one - costs[1][at]);
  const ratios = costs[0].map((one, at) => one / costs[1][at]).sort();
  const means = costs.map(mean), cheaper = Math.min(...means);
  const lost = cheaper - mean(costs[0].map((one, at) => Math.min(one, costs[1][at])));
  const informs = cheaper > 0 ? lost / cheaper : 0;
  const hangs: Verdict["hangs"] = [];
  const whole = mean(gain.map((one) => Math.max(one, 0))) - Math.max(mean(gain), 0);
  if (informs >= WORTH && whole > 0)
    for (const [unknown, drawn] of values) {
      // the cost is linear in each unknown: a regression on it is the conditional mean (Strong et al. 2014)
      const middle = mean(drawn), centre = mean(gain);
      let spread = 0, joint = 0;
      for (let at = 0; at < DRAWS; at++) {
        spread += (drawn[at] - middle) ** 2;
        joint += (drawn[at] - middle) * (gain[at] - centre);
      }
      if (!spread) continue;
      const expected = mean(drawn.map((one) => Math.max(centre + (joint / spread) * (one - middle), 0)));
      const share = (expected - Math.max(centre, 0)) / whole;
      if (share > 0.01) hangs.push({ unknown, share: Math.min(share, 1) });
    }
  hangs.sort((a, b) => b.share - a.share);
  return {
    probability: mean(gain.map((one) => (one > 0 ? 1 : 0))),
    ratio95: [ratios[Math.floor(0.025 * DRAWS)], ratios[Math.floor(0.975 * DRAWS)]] as [number, number],
    hangs: hangs.slice(0, 3),
  };
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const one of values) sum += one;
  return sum / values.length;
}

type Side = Float64Array[]; // [corner][key]; key 0 is what hangs on nothing free

class Table {
  ann: Side;
  snn: Side;
  private low: Float64Array;
  private high: Float64Array;

  constructor(prices: Prices, ann: Cost, snn: Cost) {
    const keys = [...new Set([...ann.keys(), ...snn.keys()])];
    const groups = sameProducts(keys);
    const inside = keys.map((key) => [...new Set(members(key).map((one) => groups.of.get(one) as number))]);
    const tried = triedOf(inside);
    const free = groups.members.map((_, group) => group).filter((group) => !tried.includes(group));
    const place = new Map(free.map((group, at) => [group, at + 1]));
    const ends = [0, 2].map((end) => groups.members.map((one) => product(prices, one, end)));
    const rows = 2 ** tried.length, columns = free.length + 1;
    this.ann = Array.from({ length: rows }, () => new Float64Array(columns));
    this.snn = Array.from({ length: rows }, () => new Float64Array(columns));
    keys.forEach((key, at) => {
      const column = inside[at].map((group) => place.get(group)).find((one) => one !== undefined) ?? 0;
      for (let row = 0; row < rows; row++) {
        let scale = 1;
        tried.forEach((group, bit) => {
          if (inside[at].includes(group)) scale *= ends[(row >> bit) & 1][group];
        });
        this.ann[row][column] += scale * (ann.get(key) ?? 0);
        this.snn[row][column] += scale * (snn.get(key) ?? 0);
      }
    });
    this.low = Float64Array.from([1, ...free.map((group) => ends[0][group])]);
    this.high = Float64Array.from([1, ...free.map((group) => ends[1][group])]);
  }

  minus(one: Side, other: Side, by: number): Side {
    return one.map((row, at) => row.map((value, column) => value - by * other[at][column]));
  }

  /** The least value of a cost, and the corner where it is. */
  least(side: Side): { value: number; row: number; up: boolean[] } {
    let best = { value: Infinity, row: 0, up: [] as boolean[] };
    side.forEach((coefficients, row) => {
      const up = Array.from(coefficients, (value) => value < 0);
      const value = this.at(side, row, up);
      if (value < best.value) best = { value, row, up };
    });
    return best;
  }

  at(side: Side, row: number, up: boolean[]): number {
    let sum = 0;
    side[row].forEach((value, column) => (sum += value * (up[column] ? this.high[column] : this.low[column])));
    return sum;
  }
}

function lowestRatio(table: Table, above: Side, below: Side): number {
  let ratio = Infinity;
  let corner = table.least(below.map((row) => row.map((value) => -value)));
  for (let turn = 0; turn < 100; turn++) {
    const bottom = table.at(below, corner.row, corner.up);
    const better = bottom > 0 ? table.at(above, corner.row, corner.up) / bottom : Infinity;
    if (!(better < ratio)) break;
    ratio = better;
    corner = table.least(table.minus(above, below, ratio));
  }
  return Math.max(ratio, 0);
}

/** Unknowns that occur in the very same products are one. */
function sameProducts(keys: string[]): { members: number[][]; of: Map<number, number> } {
  const places = new Map<number, string>();
  keys.forEach((key, at) => {
    for (const one of members(key)) places.set(one, `${places.get(one) ?? ""};${at}`);
  });
  const groups = new Map<string, number[]>();
  for (const [one, where] of places) groups.set(where, [...(groups.get(where) ?? []), one]);
  const found = [...groups.values()], of = new Map<number, number>();
  found.forEach((group, at) => group.forEach((one) => of.set(one, at)));
  return { members: found, of };
}

function triedOf(inside: number[][]): number[] {
  const tried: number[] = [];
  for (;;) {
    const crowded = inside.map((one) => one.filter((group) => !tried.includes(group))).filter((one) => one.length > 1);
    if (!crowded.length) return tried;
    const counts = new Map<number, number>();
    for (const group of crowded.flat()) counts.set(group, (counts.get(group) ?? 0) + 1);
    tried.push([...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0][0]);
  }
}
