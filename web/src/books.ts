// What was seen so far, priced under the switches as they are now: changing one reprices everything.

import { type Counted, type Entry, type PriceSide, type Prices, type Profile, switched, type Switches, type Three, totals } from "./joules";
import { profileOf } from "./engine";
import { type Cost, costOf, valueOf } from "./verdict";

export interface Seen {
  label: string | null; // the right class
  answers: { ann: number; snn: number };
  right: { ann: boolean | null; snn: boolean | null };
  ann: Counted;
  snn: Counted;
}

export interface Setting extends Switches {
  ann: string;
  snn: string;
}

/** How many digits are kept: the newest; older ones leave the totals too. */
export const KEPT = 1000;

export class Books {
  seen: Seen[] = [];
  joules: { ann: Three[]; snn: Three[] } = { ann: [], snn: [] };
  ratios: Three[] = []; // of all digits up to each
  cost: { ann: Cost; snn: Cost } = { ann: new Map(), snn: new Map() };
  note = ""; // where static power could not be treated as asked
  read = 0; // digits in all, those that are kept no longer too
  private sums: { ann: Three; snn: Three } = { ann: [0, 0, 0], snn: [0, 0, 0] };
  private stills: { ann: number; snn: number } = { ann: 0, snn: 0 };

  constructor(readonly prices: Prices, public setting: Setting) {}

  profile(side: "ann" | "snn"): Profile {
    return profileOf(this.prices, side, this.setting[side]);
  }

  side(side: "ann" | "snn"): PriceSide {
    return this.prices.sides[side];
  }

  ledgers(ann: Counted, snn: Counted, setting: Switches = this.setting): { ann: Entry[]; snn: Entry[]; note: string } {
    const { entries, note } = switched(this.prices, [
      { side: this.side("ann"), profile: this.profile("ann"), sample: ann },
      { side: this.side("snn"), profile: this.profile("snn"), sample: snn },
    ], setting);
    return { ann: entries[0], snn: entries[1], note };
  }

  add(one: Seen): void {
    if (this.seen.length === KEPT) this.forget();
    this.seen.push(one);
    this.book(one);
    if (++this.read % KEPT === 0) this.reprice(); // so that no rounding adds up
  }

  /** Take back the last digit: its drawing goes on. */
  takeBack(): void {
    if (this.seen.pop()) this.read--;
    this.reprice();
  }

  clear(): void {
    this.seen = [];
    this.read = 0;
    this.reprice();
  }

  reprice(): void {
    this.joules = { ann: [], snn: [] };
    this.ratios = [];
    this.cost = { ann: new Map(), snn: new Map() };
    this.sums = { ann: [0, 0, 0], snn: [0, 0, 0] };
    this.stills = { ann: 0, snn: 0 };
    this.note = "";
    for (const one of this.seen) this.book(one);
  }

  total(side: "ann" | "snn"): Three {
    return this.sums[side];
  }

  /** The share of static power in a side's nominal joules. */
  still(side: "ann" | "snn"): number {
    return this.sums[side][1] ? this.stills[side] / this.sums[side][1] : 0;
  }

  /** Joules added up, after each digit. */
  cumulated(side: "ann" | "snn"): Three[] {
    const sum: Three = [0, 0, 0];
    return this.joules[side].map((one) => [(sum[0] += one[0]), (sum[1] += one[1]), (sum[2] += one[2])] as Three);
  }

  right(side: "ann" | "snn"): { right: number; of: number } {
    const known = this.seen.filter((one) => one.right[side] !== null);
    return { right: known.filter((one) => one.right[side]).length, of: known.length };
  }

  private book(one: Seen): void {
    this.sum(one, 1);
    const [ann, snn] = [this.sums.ann, this.sums.snn];
    this.ratios.push([ann[0] / snn[2], valueOf(this.prices, this.cost.ann, 1) / valueOf(this.prices, this.cost.snn, 1), ann[2] / snn[0]]);
  }

  /** The oldest digit leaves. */
  private forget(): void {
    this.sum(this.seen.shift() as Seen, -1);
    for (const rows of [this.joules.ann, this.joules.snn, this.ratios]) rows.shift();
  }

  private sum(one: Seen, sign: 1 | -1): void {
    const found = this.ledgers(one.ann, one.snn);
    this.note = found.note;
    for (const side of ["ann", "snn"] as const) {
      const entries = sign > 0 ? found[side] : found[side].map((each) => ({ ...each, amount: -each.amount }));
      const joules = totals(this.prices, entries);
      if (sign > 0) this.joules[side].push(joules);
      joules.forEach((value, end) => (this.sums[side][end] += value));
      this.stills[side] += totals(this.prices, entries, "static")[1];
      costOf(entries, this.cost[side]);
    }
  }
}
