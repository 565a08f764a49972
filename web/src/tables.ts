// Tables: the twin in numbers of every chart, the tornado, who spends what, and where the prices come from.

import { type Entry, type PriceSide, type Prices, type Profile, product, type Three } from "./joules";
import { count, percent, si } from "./format";
import type { Run } from "./spike";

type Cell = string | { number: string };

export function fill(table: HTMLTableElement, headings: Cell[], rows: Cell[][]): void {
  const make = (kind: "th" | "td", cell: Cell): HTMLElement => {
    const made = document.createElement(kind);
    made.textContent = typeof cell === "string" ? cell : cell.number;
    if (typeof cell !== "string") made.className = "n";
    else if (kind === "td") made.title = cell; // where a narrow column cuts it
    return made;
  };
  const head = document.createElement("thead"), body = document.createElement("tbody");
  const top = document.createElement("tr");
  for (const cell of headings) {
    const made = make("th", cell);
    made.setAttribute("scope", "col");
    top.append(made);
  }
  head.append(top);
  for (const row of rows) {
    const line = document.createElement("tr");
    for (const cell of row) line.append(make("td", cell));
    body.append(line);
  }
  table.replaceChildren(head, body);
}

/** Bars of the numbers that move the difference most, between their ends; a bar that crosses the line turns the winner. */
export function fillTornado(
  table: HTMLTableElement, prices: Prices, nominal: number, swings: Array<{ unknown: number; low: number; high: number }>, decides: number[],
): void {
  const ends = swings.flatMap(({ low, high }) => [nominal + low, nominal + high]);
  const left = Math.min(0, nominal, ...ends), right = Math.max(0, nominal, ...ends), whole = right - left || 1;
  const at = (value: number): number => (200 * (value - left)) / whole;
  if (!swings.length) return fill(table, ["No price here has a range, so none decides."], []);
  fill(table, ["number", `${si(left, "J")} … ${si(right, "J")}`], swings.map(({ unknown }) => {
    const [name, low, , high] = prices.unknowns[unknown];
    return [`${decides.includes(unknown) ? "▸ " : ""}${name} (${low > 0 ? `× ${(high / low).toPrecision(2)}` : "from 0"})`, ""];
  }));
  table.querySelectorAll("tbody tr").forEach((row, index) => {
    const { low, high } = swings[index], a = at(nominal + low), b = at(nominal + high);
    const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 200 18");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "bar");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `from ${si(nominal + low, "J")} to ${si(nominal + high, "J")}`);
    const rect = (x: number, wide: number, role: string): void => {
      const made = document.createElementNS(space, "rect");
      for (const [name, value] of Object.entries({ x, y: role === "ink" ? 0 : 3, width: Math.max(wide, 1), height: role === "ink" ? 18 : 12 })) made.setAttribute(name, String(value));
      made.setAttribute("class", `f-${role}`);
      svg.append(made);
    };
    const zero = at(0), from = Math.min(a, b), to = Math.max(a, b);
    if (from < zero) rect(from, Math.min(to, zero) - from, "snn"); // below 0 the SNN needs less
    if (to > zero) rect(Math.max(from, zero), to - Math.max(from, zero), "ann");
    rect(zero - 0.5, 1, "ink");
    row.lastElementChild?.replaceChildren(svg);
  });
}

/** Neurons by what they cost: their spikes, their updates, and the synapses that they set off. */
export function neurons(run: Run, each: Record<string, number>): Array<{ name: string; at: number; spikes: number; joules: number }> {
  const found: Array<{ name: string; at: number; spikes: number; joules: number }> = [];
  run.populations.forEach((population) => {
    if (!population.spikes) return;
    const fixed = (each[`${population.name}|neuron_update`] ?? 0) * run.timesteps;
    for (let i = 0; i < population.size; i++) {
      let spikes = 0;
      for (let t = 0; t < run.timesteps; t++) spikes += population.spikes[t * population.size + i];
      const sent = spikes * (population.fan?.[i] ?? 0) * (each[`${population.next}|synaptic_op`] ?? 0);
      found.push({ name: population.name, at: i, spikes, joules: fixed + spikes * (each[`${population.name}|spike`] ?? 0) + sent });
    }
  });
  return found.sort((a, b) => b.joules - a.joules);
}

export function fillWho(
  table: HTMLTableElement, prices: Prices, ledgers: Array<[string, Entry[]]>, dearest: Array<{ name: string; at: number; spikes: number; joules: number }>,
): void {
  const rows: Cell[][] = [];
  for (const [side, entries] of ledgers) {
    const priced = new Map<string, number>();
    let whole = 0;
    for (const one of entries) {
      const joules = one.amount * product(prices, one.unknowns, 1), key = `${one.layer || "device"}|${one.event}`;
      priced.set(key, (priced.get(key) ?? 0) + joules);
      whole += joules;
    }
    for (const [key, joules] of [...priced].sort((a, b) => b[1] - a[1]).slice(0, 4)) {
      const [layer, event] = key.split("|");
      rows.push([side, `${layer.replace("layers.", "")}: ${event.replaceAll("_", " ")}`, { number: si(joules, "J") }, { number: percent(joules / (whole || 1)) }]);
    }
  }
  for (const one of dearest.slice(0, 4))
    rows.push(["neuron", `${one.name.replace("layers.", "")} ${one.at}: ${count(one.spikes)} spikes`, { number: si(one.joules, "J") }, ""]);
  fill(table, ["side", "what", { number: "joules" }, { number: "share" }], rows);
}

export function fillSources(table: HTMLTableElement, prices: Prices, sides: Array<{ kind: string; side: PriceSide; profile: Profile }>): void {
  const rows: Cell[][] = [];
  for (const { kind, profile } of sides) {
    const used = new Set<number>();
    for (const bills of Object.values(profile.bills))
      for (const bill of Object.values(bills)) for (const row of prices.bills[bill]) for (const one of row[2]) used.add(one);
    for (const one of [...used].sort((a, b) => a - b)) {
      const [name, low, nominal, high, evidence, source] = prices.unknowns[one];
      // watts by their name; a factor, such as a duration's, is about 1 and has no unit
      const told = (value: number): string => (/ power( of the host)?$/.test(name) ? si(value, "W") : nominal < 1e-3 ? si(value, "J") : String(Number(value.toPrecision(3))));
      rows.push([kind, name, { number: `${told(nominal)} (${told(low)} to ${told(high)})` }, evidence, source]);
    }
    for (const [name, value, evidence, source] of profile.fixed) rows.push([kind, name, { number: `${value} (no range)` }, evidence, source]);
  }
  fill(table, ["side", "number", { number: "nominal (low to high)" }, "evidence", "source"], rows);
}

export interface Digit {
  label: string;
  answers: { ann: string; snn: string };
  joules: { ann: Three; snn: Three };
  timesteps: number;
}

export function fillNumbers(table: HTMLTableElement, digits: Digit[], ranges: boolean): void {
  const told = ([low, nominal, high]: Three): Cell => ({ number: ranges ? `${si(nominal, "J")} (${si(low, "J")} to ${si(high, "J")})` : si(nominal, "J") });
  fill(table, ["digit", "ANN says", "SNN says", { number: "steps" }, { number: "ANN" }, { number: "SNN" }],
    digits.map((one) => [one.label, one.answers.ann, one.answers.snn, { number: String(one.timesteps) }, told(one.joules.ann), told(one.joules.snn)]));
}
