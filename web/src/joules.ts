// Bills in the page: `joules = sum of coefficient * count * T^p * product of unknowns`, each unknown with its range.

export type Three = [number, number, number]; // low, nominal, high

export type Unknown = [string, number, number, number, string, string]; // name, ends, kind, source
type Row = [number, number, number[], Array<[number, number, number]>]; // layer, event, unknowns, [feature, power, coefficient]

export interface Profile {
  name: string;
  title: string;
  caveats: string[];
  document: string; // whose arithmetic it is; empty of a device
  skips: "none" | "spikes" | "all"; // which zeros it does not compute
  fixed: string[][]; // numbers without a range: name, value, kind, source
  technology: boolean;
  bills: Record<string, Record<string, number>>; // dataflow -> classes of inputs -> bill
  seconds: Record<string, number>;
  choices: Record<string, number>;
  watts: Array<[number[], number]> | null;
  left_out: string[];
}

export interface PriceSide {
  features: Array<[string, string]>;
  layers: string[];
  weighted: string[];
  profiles: Profile[];
  refused: Record<string, string>;
}

export interface Prices {
  events: string[];
  terms: Record<string, string[]>;
  unknowns: Unknown[];
  bills: Row[][];
  sides: { ann: PriceSide; snn: PriceSide };
  corrections: Record<string, string>;
}

/** One line of a ledger: an event of a layer at the price of a product of unknowns; joules are `amount` times that. */
export interface Entry {
  layer: string;
  event: string;
  term: string;
  unknowns: number[];
  amount: number;
}

export const STATIC = ["computing", "always", "off", "equal"] as const;
export type StaticMode = (typeof STATIC)[number];

export interface Switches {
  static: StaticMode;
  rate: number; // digits a second
  memory: boolean;
  flow: string; // "auto" or a dataflow
}

/** A sample's counts as a bill needs them. */
export interface Counted {
  counts: Record<string, number>;
  kinds: string;
  timesteps: number;
}

/** The value of a product of unknowns at one end: 0 low, 1 nominal, 2 high. */
export function product(prices: Prices, unknowns: number[], end: number): number {
  let value = 1;
  for (const one of unknowns) value *= prices.unknowns[one][1 + end] as number;
  return value;
}

/** The dataflow that a bill takes: as asked for where the profile leaves it open, the cheaper one by default. */
export function flowOf(prices: Prices, side: PriceSide, profile: Profile, sample: Counted, asked: string): string {
  const flows = Object.keys(profile.bills).filter((flow) => profile.bills[flow][sample.kinds] !== undefined);
  if (asked !== "auto" && flows.includes(asked)) return asked;
  const decides = profile.choices[sample.kinds];
  if (decides === undefined) return flows[0];
  let difference = 0;
  for (const entry of evaluate(prices, side, decides, sample)) difference += entry.amount;
  return difference < 0 ? "output-stationary" : "row-wise";
}

/** The ledger of one sample, before the switches. */
export function ledger(prices: Prices, side: PriceSide, profile: Profile, sample: Counted, asked = "auto"): Entry[] {
  const flow = flowOf(prices, side, profile, sample, asked);
  return evaluate(prices, side, profile.bills[flow][sample.kinds], sample);
}

/** Both ledgers under the switches; `note` says where static power could not be treated as asked. */
export function switched(
  prices: Prices, pair: Array<{ side: PriceSide; profile: Profile; sample: Counted }>, switches: Switches,
): { entries: Entry[][]; note: string } {
  const full = pair.map(({ side, profile, sample }) => ledger(prices, side, profile, sample, switches.flow));
  const moving = full.map((entries) => entries.filter((one) => one.term !== "static" && (switches.memory || one.term !== "memory")));
  const still = full.map((entries) => entries.filter((one) => one.term === "static"));
  let note = "";
  if (switches.static === "off") return { entries: moving, note };
  if (switches.static === "computing") return { entries: moving.map((one, at) => one.concat(still[at])), note };
  if (switches.static === "always") {
    const entries = moving.map((one, at) => {
      const { profile } = pair[at];
      if (!profile.watts) return one.concat(still[at]);
      const leaks = still[at].filter((each) => each.layer !== "");
      // watts / (digits/s) = joules a digit
      return one.concat(leaks, profile.watts.map(([unknowns, watts]) => stillEntry(unknowns, watts / switches.rate)));
    });
    const without = pair.filter(({ profile }) => !profile.watts).map(({ profile }) => profile.title);
    if (without.length) note = `static power of ${without.join(" and ")} is not given`;
    return { entries, note };
  }
  if (still.some((one) => !one.length)) {
    note = "not given: a side has no static power to make equal, so both are shown without";
    return { entries: moving, note };
  }
  const sums = still.map((one) => totals(prices, one)[1]);
  const dearer = sums[0] >= sums[1] ? 0 : 1;
  return {
    entries: moving.map((one) => one.concat(still[dearer])),
    note: `both are charged the static power of the dearer side, ${pair[dearer].profile.title}`,
  };
}

/** Low, nominal and high joules of entries; of one term, if asked for. */
export function totals(prices: Prices, entries: Entry[], term = ""): Three {
  const sum: Three = [0, 0, 0];
  for (const one of entries)
    if (!term || one.term === term) for (let end = 0; end < 3; end++) sum[end] += one.amount * product(prices, one.unknowns, end);
  return sum;
}

/** Seconds that the device takes for a sample; null where the profile does not say. */
export function seconds(prices: Prices, side: PriceSide, profile: Profile, sample: Counted): Three | null {
  const rows = evaluate(prices, side, profile.seconds[sample.kinds], sample);
  return rows.length ? totals(prices, rows) : null;
}

/** Nominal joules that one more of a feature costs, by "layer|event". */
export function slopes(
  prices: Prices, side: PriceSide, profile: Profile, sample: Counted, switches: Switches,
): Record<string, number> {
  const flow = flowOf(prices, side, profile, sample, switches.flow);
  const found: Record<string, number> = {};
  for (const [, event, unknowns, parts] of prices.bills[profile.bills[flow][sample.kinds]]) {
    const term = termOf(prices, prices.events[event]);
    if (term === "static" || (term === "memory" && !switches.memory)) continue;
    for (const [feature, power, each] of parts) {
      const name = side.features[feature].join("|");
      found[name] = (found[name] ?? 0) + each * sample.timesteps ** power * product(prices, unknowns, 1);
    }
  }
  return found;
}

export function termOf(prices: Prices, event: string): string {
  let found = TERMS.get(prices);
  if (!found) {
    found = new Map(Object.entries(prices.terms).flatMap(([term, events]) => events.map((one) => [one, term] as const)));
    TERMS.set(prices, found);
  }
  return found.get(event) ?? "";
}

const TERMS = new WeakMap<Prices, Map<string, string>>(), NAMES = new WeakMap<PriceSide, string[]>();

/** The features' names as a run's counts have them. */
function namesOf(side: PriceSide): string[] {
  const found = NAMES.get(side) ?? side.features.map((one) => one.join("|"));
  NAMES.set(side, found);
  return found;
}

function evaluate(prices: Prices, side: PriceSide, bill: number, sample: Counted): Entry[] {
  const entries: Entry[] = [];
  const names = namesOf(side);
  for (const [layer, event, unknowns, parts] of prices.bills[bill]) {
    let amount = 0;
    for (const [feature, power, each] of parts) amount += each * (sample.counts[names[feature]] ?? 0) * sample.timesteps ** power;
    if (amount === 0) continue;
    const name = event < 0 ? "" : prices.events[event];
    entries.push({ layer: side.layers[layer], event: name, term: termOf(prices, name), unknowns, amount });
  }
  return entries;
}

function stillEntry(unknowns: number[], amount: number): Entry {
  return { layer: "", event: "second", term: "static", unknowns, amount };
}
