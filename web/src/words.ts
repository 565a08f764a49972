// The sentences of the page.

import { capital, count, percent, si, times } from "./format";
import type { Books } from "./books";
import { type Prices, termOf, type Three, totals } from "./joules";
import type { Choices } from "./state";
import type { Values } from "./unpack";
import { judge, type Verdict } from "./verdict";

export function short(title: string): string {
  return title.length > 44 ? `${title.slice(0, 42).trimEnd()}…` : title;
}

/** Who won, in a sentence, and what it hangs on. */
export function headline(books: Books, ranges: boolean): { who: string; hangs: string; verdict: Verdict } {
  const { prices, cost } = books, verdict = judge(prices, cost.ann, cost.snn);
  const profiles = SIDES.map((side) => books.profile(side)), [ann, snn] = profiles.map((one) => short(one.title));
  const on = `ANN on ${ann}; SNN on ${snn}; ${digits(books)}.`, still = stillness(books);
  const nothing = SIDES.filter((side) => !books.total(side)[2]);
  if (nothing.length) return { verdict: { ...verdict, standing: "none", winner: "", hangs: [] }, who: uncharged(books, nothing), hangs: `${still}${on}` };
  const middle = books.total("ann")[1] / books.total("snn")[1], [low, high] = ranges ? verdict.ratio : [middle, middle];
  const documents = profiles.map((one) => one.document);
  if (documents[0] && documents[0] === documents[1])
    return { verdict, who: `${books.setting.static === "computing" && books.setting.memory ? "As published" : "Switched from what was published"}: ${less(middle, middle, "would need")}. Its document's arithmetic, not a verdict.`, hangs: `${published(books)}${on}` };
  if (documents.some(Boolean)) {
    const whose = documents.every(Boolean) ? "the sides are the arithmetic of two documents" : "one side is a document's own arithmetic";
    return { verdict, who: `Not a verdict, for ${whose}: ${less(low, high, "would need")}.`, hangs: `${still}${on}` };
  }
  if (!ranges) return { verdict, who: `At nominal prices ${less(middle, middle)}: not a verdict.`, hangs: `${still}${on}` };
  const name = NAMES[verdict.winner || "snn"], between = less(low, high), same = alike(low, high);
  const hang = verdict.hangs[0];
  const hangs = hang ? `It hangs on ${told(prices, hang.unknown)}: ${Math.round(100 * hang.share)} % of the doubt. ` : verdict.standing === "exact" && !same ? "No price within its range turns this. " : "";
  const who = {
    exact: `${capital(between)}, ${lopsided(books) ? "by bills that differ in static power" : "whatever the prices"}.`,
    likely: `The ${name} probably needs less energy (P ${chance(verdict)}); ${between}.`,
    equal: same ? `${capital(between)}.` : `Both need about the same energy: ${between}.`,
    open: `Nobody wins for sure: ${between}.`,
    none: "Neither side costs anything here.",
  }[verdict.standing];
  return { verdict, who, hangs: `${still}${hangs}${on}` };
}

const SIDES = ["ann", "snn"] as const, NAMES = { ann: "ordinary network", snn: "spiking network" };

function digits(books: Books): string {
  const kept = books.seen.length;
  return books.read > kept ? `the last ${count(kept)} of ${count(books.read)} digits` : `${count(kept)} digit${kept === 1 ? "" : "s"} so far`;
}

const alike = (low: number, high: number): boolean => times(low) === "1" && times(high) === "1";

/** Who needs less by how much, of ANN / SNN within its ends. */
export function less(low: number, high: number, needs = "needs"): string {
  if (alike(low, high)) return `both ${needs.replace(/s$/, "")} about the same energy`;
  if (low >= 1) return `the ${NAMES.snn} ${needs} ${factor(low, high)} times less energy`;
  if (high <= 1) return `the ${NAMES.ann} ${needs} ${factor(1 / high, 1 / low)} times less energy`;
  return `the ${NAMES.ann} ${needs} ${within(low, high)} times what the ${NAMES.snn} ${needs}`;
}

const factor = (low: number, high: number): string => (times(low) === "1" && Number.isFinite(high) ? `up to ${times(high)}` : within(low, high));

/** `2.4`, `2.4 to 31`, `at least 2.4`. */
export function within(low: number, high: number): string {
  if (!Number.isFinite(high)) return `at least ${times(low)}`;
  return times(low) === times(high) ? times(low) : `${times(low)} to ${times(high)}`;
}

function uncharged(books: Books, nothing: Array<"ann" | "snn">): string {
  const why = nothing.map((side) => {
    const { bills, title } = books.profile(side), rows = Object.values(bills).flatMap((flow) => Object.values(flow)).flatMap((bill) => books.prices.bills[bill]);
    const priced = rows.some(([, event]) => termOf(books.prices, books.prices.events[event]) !== "static");
    return `the ${NAMES[side]} is charged nothing, for ${priced ? "nothing that counts here has a price" : "nothing but static power is priced"} on ${short(title)}`;
  });
  return `Nobody wins: ${why.join(", and ")}.`;
}

/** Whether one side's bill has static power and the other's has none. */
function lopsided(books: Books): boolean {
  return (books.still("ann") > 0) !== (books.still("snn") > 0);
}

/** What static power does to a comparison. */
function stillness(books: Books): string {
  const note = books.note ? `${capital(books.note)}. ` : "";
  if (!lopsided(books)) return note;
  const [side, other] = books.still("ann") > 0 ? (["ann", "snn"] as const) : (["snn", "ann"] as const);
  return `Static power is ${percent(books.still(side))} of the ${side.toUpperCase()}'s bill, and the ${other.toUpperCase()}'s has none. `;
}

function chance(verdict: Verdict): string {
  const p = verdict.winner === "snn" ? verdict.probability ?? 1 : 1 - (verdict.probability ?? 0);
  return p > 0.99 ? "> 99 %" : `${Math.round(100 * p)} %`;
}

function told(prices: Prices, unknown: number): string {
  const [name, low, , high] = prices.unknowns[unknown];
  return `“${name}” (known ${low > 0 ? `within × ${times(high / low)}` : "from 0 on"})`;
}

/** What static power does to a document's factor. */
function published(books: Books): string {
  const sums = { ann: { all: 0, still: 0 }, snn: { all: 0, still: 0 } };
  for (const one of books.seen) {
    const found = books.ledgers(one.ann, one.snn, { ...books.setting, static: "computing" });
    for (const side of SIDES) {
      sums[side].all += totals(books.prices, found[side])[1];
      sums[side].still += totals(books.prices, found[side], "static")[1];
    }
  }
  const { ann, snn } = sums, share = (side: { all: number; still: number }): string => `${((100 * side.still) / side.all).toPrecision(4)} %`;
  if (!ann.still && !snn.still) return "Its document prices no static power. ";
  const moving = snn.all - snn.still, note = books.note ? `${capital(books.note)}. ` : "";
  return `${note}With static power ${books.setting.static === "computing" ? "" : "while it computes, as the document has it, "}the factor is ${times(ann.all / snn.all)}; ` +
    `without it, ${moving > 0 ? times((ann.all - ann.still) / moving) : "nothing of the SNN is priced"}: ` +
    `power that is assumed is ${share(ann)} of the ANN's joules and ${share(snn)} of the SNN's. `;
}

export function span([low, , high]: Three, ranges: boolean): string {
  if (!ranges) return "nominal, without its range";
  if (!high) return "nothing is charged here";
  return si(low, "J") === si(high, "J") ? "no range is given" : `${si(low, "J")} to ${si(high, "J")}`;
}

export function clock(time: Three | null, wall: number, name: string): string {
  if (!time) return `${name}: how long it takes is not given.`;
  const spread = time[0] === time[2] ? "" : ` (${si(time[0], "s")} to ${si(time[2], "s")})`;
  return `Needs ${si(time[1], "s")}${spread} a digit; you watch it ${times(wall / time[1])} × slower.`;
}

export function accuracy(books: Books, after: { ann: number; snn: number | null; tested: number }): string {
  const ann = books.right("ann"), snn = books.right("snn");
  const seen = ann.of ? `Right so far: ANN ${percent(ann.right / ann.of)}, SNN ${percent(snn.right / snn.of)} of ${count(ann.of)}. ` : "";
  return `${seen}On ${count(after.tested)} test digits: ${percent(after.ann)} and ${after.snn === null ? "not measured so" : percent(after.snn)}.`;
}

/** What an ordinary network multiplies, of what there is, and what this hardware does with the zeros. */
export function products(nonzero: number, dense: number, skips: boolean): string {
  return `${count(nonzero)} multiply-accumulates of ${count(dense)} have no zero; this hardware ${skips ? "skips the others" : "does them all"}`;
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
  const { data, ann, snn } = values, own = (values.engine ?? "local") === "local";
  const right = `${percent(ann.after)} and ${percent(snn.after)} of ${count(snn.tested)} test samples are right`;
  const large = [...(ann.undrawn ?? []), ...(snn.undrawn ?? [])];
  return `${data.name}; ${ann.label} against ${snn.label}. ` +
    (own ? `With int8 weights ${right}; before, ${percent(ann.before)} and ${percent(snn.before)}. ` : `${right}. `) +
    `${own ? "The counts equal those of a recording by the library, integer for integer." : "All counts are a recording's."} ` +
    (large.length ? `Counted, but too large to be drawn: ${large.map(([name, size]) => `${name} (${count(size)})`).join(", ")}. ` : "");
}

/** Which hardware has no price for these networks, and why. */
export function refused(prices: Prices): string {
  return SIDES.flatMap((side) => Object.values(prices.sides[side].refused)).map((why) => `${capital(why)}.`).join(" ") || "None.";
}

/** A link asks for what this page does not have. */
export function unknown(name: keyof Choices, value: string, prices: Prices): string {
  if (name === "ann" || name === "snn") {
    const why = prices.sides[name].refused[value];
    return why ? `The link's hardware is not priced here: ${why}.` : `The link's hardware for the ${name.toUpperCase()}, “${value}”, is not known here; another one is shown.`;
  }
  return `The link's ${{ static: "static power", flow: "dataflow", sure: "way to stop when sure" }[name]}, “${value}”, is none of the choices; the page's own is shown.`;
}
