// The sentences of the page.

import { count, percent, si, times } from "./format";
import type { Books } from "./books";
import { type Prices, type Three, totals } from "./joules";
import type { Values } from "./unpack";
import { judge, type Verdict } from "./verdict";

export function short(title: string): string {
  return title.length > 44 ? `${title.slice(0, 42).trimEnd()}…` : title;
}

/** Who won, in a sentence, and what it hangs on. */
export function headline(books: Books, ranges: boolean): { who: string; hangs: string; verdict: Verdict } {
  const { prices, cost } = books, verdict = judge(prices, cost.ann, cost.snn);
  const ann = short(books.profile("ann").title), snn = short(books.profile("snn").title);
  const on = `ANN on ${ann}; SNN on ${snn}; ${count(books.seen.length)} digit${books.seen.length === 1 ? "" : "s"} so far.`;
  if (books.profile("ann").published || books.profile("snn").published) {
    const middle = books.total("ann")[1] / books.total("snn")[1];
    return { verdict, who: `As published: the SNN would need ${times(middle)} times less. Its document's arithmetic, not a verdict.`, hangs: `${on} ${published(books)}` };
  }
  if (!ranges) {
    const ratio = books.total("ann")[1] / books.total("snn")[1];
    return { verdict, who: `At nominal prices the ordinary network needs ${times(ratio)} times what the spiking one needs: not a verdict.`, hangs: on };
  }
  const [low, high] = verdict.ratio, name = verdict.winner === "ann" ? "ordinary network" : "spiking network";
  const ends = verdict.winner === "ann" ? [1 / high, 1 / low] : [low, high];
  const between = `the ordinary network needs ${times(low)} to ${times(high)} times what the spiking one needs`;
  const hang = verdict.hangs[0];
  const hangs = hang ? `It hangs on ${told(prices, hang.unknown)}: ${Math.round(100 * hang.share)} % of the doubt. ` : verdict.standing === "exact" ? "No price within its range turns this. " : "";
  const who = {
    exact: `The ${name} needs ${times(ends[0])} to ${times(ends[1])} times less energy, whatever the prices.`,
    likely: `The ${name} probably needs less energy (P ${chance(verdict)}); ${between}.`,
    equal: `Both need about the same energy: ${between}.`,
    open: `Nobody wins for sure: ${between}.`,
    none: "Neither side costs anything here.",
  }[verdict.standing];
  return { verdict, who, hangs: `${hangs}${on}` };
}

function chance(verdict: Verdict): string {
  const p = verdict.winner === "snn" ? verdict.probability ?? 1 : 1 - (verdict.probability ?? 0);
  return p > 0.99 ? "> 99 %" : `${Math.round(100 * p)} %`;
}

function told(prices: Prices, unknown: number): string {
  const [name, low, , high] = prices.unknowns[unknown];
  return `“${name}” (known within × ${times(high / low)})`;
}

/** What static power does to a document's factor. */
function published(books: Books): string {
  const sums = { ann: { all: 0, still: 0 }, snn: { all: 0, still: 0 } };
  for (const one of books.seen) {
    const found = books.ledgers(one.ann, one.snn, { ...books.setting, static: "computing" });
    for (const side of ["ann", "snn"] as const) {
      sums[side].all += totals(books.prices, found[side])[1];
      sums[side].still += totals(books.prices, found[side], "static")[1];
    }
  }
  const { ann, snn } = sums, share = (side: { all: number; still: number }): string => `${((100 * side.still) / side.all).toPrecision(4)} %`;
  return `With static power the factor is ${times(ann.all / snn.all)}; without it, ${times((ann.all - ann.still) / (snn.all - snn.still))}: ` +
    `power that is assumed is ${share(ann)} of the ANN's joules and ${share(snn)} of the SNN's.`;
}

export function span([low, , high]: Three, ranges: boolean): string {
  if (!ranges) return "nominal, without its range";
  return low === high ? "no range given" : `${si(low, "J")} to ${si(high, "J")}`;
}

export function clock(time: Three | null, wall: number, name: string): string {
  if (!time) return `${name}: how long it takes is not given.`;
  const spread = time[0] === time[2] ? "" : ` (${si(time[0], "s")} to ${si(time[2], "s")})`;
  return `Needs ${si(time[1], "s")}${spread} a digit; you watch it ${times(wall / time[1])} × slower.`;
}

export function accuracy(books: Books, after: { ann: number; snn: number; tested: number }): string {
  const ann = books.right("ann"), snn = books.right("snn");
  const seen = ann.of ? `Right so far: ANN ${percent(ann.right / ann.of)}, SNN ${percent(snn.right / snn.of)} of ${count(ann.of)}. ` : "";
  return `${seen}On ${count(after.tested)} test digits: ${percent(after.ann)} and ${percent(after.snn)}.`;
}

/** Where the networks run. */
export function where(values: Values): string {
  return {
    local: "Both networks run inside this page. Nothing is sent anywhere.",
    replay: "Both networks were recorded, step by step; this page replays them. Nothing is sent anywhere.",
    remote: "Both networks run on the machine that this page came from, and are recorded there.",
  }[values.engine ?? "local"];
}

/** Which networks and data these are, and what the page knows of them. */
export function provenance(values: Values): string {
  const { data, ann, snn, prices } = values, own = (values.engine ?? "local") === "local";
  const right = `${percent(ann.after)} and ${percent(snn.after)} of ${count(snn.tested)} test samples are right`;
  const refused = (["ann", "snn"] as const).map((side) => `${side.toUpperCase()} ${Object.keys(prices.sides[side].refused).join(", ") || "none"}`);
  const large = [...(ann.undrawn ?? []), ...(snn.undrawn ?? [])];
  return `${data.name}; ${ann.label} against ${snn.label}. ` +
    (own ? `With int8 weights ${right}; before, ${percent(ann.before)} and ${percent(snn.before)}. ` : `${right}. `) +
    `${own ? "The counts equal those of a recording by the library, integer for integer." : "All counts are a recording's."} ` +
    (large.length ? `Counted, but too large to be drawn: ${large.map(([name, size]) => `${name} (${count(size)})`).join(", ")}. ` : "") +
    `Prices that could not be given here: ${refused.join("; ")}.`;
}
