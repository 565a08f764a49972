// The page's elements, filled with what is known now. Nothing here changes its size while it runs.

import type { Books } from "./books";
import { type Colours, coloursOf, decades, drawBars, drawPixels, drawRaster, drawRatio, drawRuler, drawSeries, drawValues } from "./charts";
import { countedOf, type Pair } from "./engine";
import { count, percent, si, times } from "./format";
import { seconds, slopes, type Three, totals } from "./joules";
import type { Stroke } from "./pad";
import type { State } from "./state";
import { type Digit, fillNumbers, fillSources, fillTornado, fillWho, neurons } from "./tables";
import type { Document } from "./unpack";
import { swings, type Verdict } from "./verdict";
import { accuracy, clock, headline, products, provenance, refused, span, where, within } from "./words";

const SIDES = ["ann", "snn"] as const;

/** A part of the page that is about all digits, and how often it is told anew while they run. */
interface Job {
  every: number; // milliseconds
  run(pair: Pair, end: number): void;
  due: boolean;
  at: number;
}

const job = (every: number, run: Job["run"]): Job => ({ every, run, due: false, at: -Infinity });

export class View {
  pad = at<HTMLCanvasElement>("pad");
  strokes: Stroke[] = [];
  pen: { cursor: [number, number] | null } = { cursor: null };
  private colours: Colours = coloursOf();
  private spans: Record<string, [number, number] | null> = {};
  private picked: number | null = null;
  private told = -Infinity; // when all was last told at once
  private verdict: Verdict | null = null;
  private last: { pair: Pair; end: number } | null = null;
  private jobs: Job[] = [
    job(250, () => this.series("history", this.books.joules, "J")), job(250, () => this.power()), job(250, () => this.ratio()),
    job(250, () => this.series("cumulative", { ann: this.books.cumulated("ann"), snn: this.books.cumulated("snn") }, "J")),
    job(250, () => this.seen()), job(1000, () => this.headline()), job(1000, () => this.tornado()),
    job(1000, (pair, end) => this.who(pair, end)), job(1000, () => this.numbers()),
  ];

  constructor(private pack: Document, private books: Books, private state: State) {
    const { values } = pack;
    for (const side of SIDES) {
      const select = at<HTMLSelectElement>(`${side}-profile`), groups: Record<string, HTMLOptGroupElement> = {};
      for (const profile of values.prices.sides[side].profiles) {
        const kind = profile.document ? "as published" : profile.technology ? "technologies" : "devices";
        groups[kind] ??= Object.assign(document.createElement("optgroup"), { label: kind });
        groups[kind].append(new Option(profile.title, profile.name));
      }
      select.append(...["technologies", "devices", "as published"].flatMap((kind) => groups[kind] ?? []));
    }
    at<HTMLInputElement>("t").max = String(values.snn.timesteps ?? 1);
    const sure = at<HTMLSelectElement>("sure");
    sure.append(new Option("never: all steps", "0"), ...(values.snn.sure ?? []).map(([margin]) => new Option(`${margin} spike${margin > 1 ? "s" : ""} ahead`, String(margin))));
    at("provenance").textContent = provenance(values);
    at("refused").textContent = refused(values.prices);
    if (values.data.drawable === false || values.takes) {
      at("pad-title").textContent = "What both read";
      this.pad.removeAttribute("tabindex");
      this.pad.setAttribute("aria-label", "The sample that both networks read");
      this.pad.style.cursor = "auto";
    }
    at("hangs").textContent = where(values);
  }

  /** A remark beside the controls. */
  say(text: string): void {
    at("said").textContent = text;
  }

  /** Whether the server is there. */
  line(open: boolean): void {
    this.say(open ? "" : "The server does not answer; the page comes back to it by itself.");
  }

  recolour(): void {
    this.colours = coloursOf();
  }

  /** Controls as the state says. */
  controls(): void {
    const { state, pack } = this, { snn } = pack.values;
    for (const side of SIDES) at<HTMLSelectElement>(`${side}-profile`).value = state[side];
    at("run").textContent = state.running ? "Pause" : "Run";
    at<HTMLInputElement>("t").value = String(state.timesteps);
    at("t-value").textContent = String(state.timesteps);
    const known = snn.by_step?.[state.timesteps - 1];
    at("t-says").textContent = known === undefined ? "" : `The SNN read after ${state.timesteps} steps: ${percent(known)} of the test digits right.`;
    for (const one of document.querySelectorAll<HTMLInputElement>("input[name=static]")) one.checked = one.value === state.static;
    at<HTMLInputElement>("rate").value = String(Math.log10(state.rate));
    at("rate-value").textContent = times(state.rate);
    at<HTMLInputElement>("memory").checked = state.memory;
    at<HTMLInputElement>("ranges").checked = state.ranges;
    at<HTMLSelectElement>("flow").value = state.flow;
    at<HTMLSelectElement>("sure").value = String(state.sure);
    const stops = snn.sure?.find(([margin]) => margin === state.sure);
    at("sure-says").textContent = stops ? `Measured on ${count(snn.tested)} test digits: ${percent(stops[1])} right after ${stops[2].toFixed(1)} steps on average.` : "Answers once one class is far enough ahead.";
    at<HTMLInputElement>("speed").value = String(state.speed);
    at("speed-value").textContent = state.speed > 60 ? "20 digits/s" : `${state.speed} steps/s`;
    at("published").setAttribute("aria-pressed", String(state.ann.startsWith("published-notebook") && state.snn.startsWith("published-notebook")));
    const prices = this.books.prices;
    fillSources(at("sources") as HTMLTableElement, prices, SIDES.map((kind) => ({ kind: kind.toUpperCase(), side: prices.sides[kind], profile: this.books.profile(kind) })));
    this.told = -Infinity;
  }

  /** One moment of one digit: the cursor stands behind `moment` steps of `end`. */
  show(pair: Pair, moment: number, end: number): void {
    const { books, state, colours, pack } = this, { classes, width } = pack.values.data;
    const step = Math.max(1, Math.min(Math.floor(moment), end)), begun = moment >= 1, done = moment >= end;
    const pen = drawPixels(this.pad, pair.pixels, width, colours.ink);
    this.drawStrokes(pen.wide);
    const first = pair.snn.populations[0];
    const input = first.size === pair.pixels.length && first.spikes ? first.spikes.subarray((step - 1) * first.size, step * first.size) : pair.pixels;
    drawPixels(at<HTMLCanvasElement>("input"), begun ? input : new Uint8Array(first.size), width, colours.snn);
    drawValues(at<HTMLCanvasElement>("ann-hidden"), pair.ann.populations[0], colours.ann);
    const hidden = this.hidden(pair);
    drawRaster(at<HTMLCanvasElement>("snn-hidden"), hidden, pair.snn.timesteps, begun ? step : 0, this.picked, colours);
    const scores = { ann: softened(pair.ann.scores), snn: pair.snn.scores.subarray((step - 1) * classes.length, step * classes.length) };
    const answers = { ann: pair.ann.answers[0], snn: pair.snn.answers[step - 1] };
    drawBars(at<HTMLCanvasElement>("ann-bars"), scores.ann, classes, answers.ann, colours.ann, colours, 1);
    drawBars(at<HTMLCanvasElement>("snn-bars"), begun ? scores.snn : [], classes, answers.snn, colours.snn, colours, Math.max(...pair.snn.scores.subarray(-classes.length), 1));
    const counted = { ann: countedOf(pair.ann), snn: countedOf(pair.snn, step) };
    const found = books.ledgers(counted.ann, counted.snn), moving = books.ledgers(counted.ann, counted.snn, { ...state, static: "off" });
    const blank = pair.sample === null && !pair.pixels.some(Boolean); // a cleared pad, of which both could say something
    const all = { ann: totals(books.prices, blank ? [] : found.ann), snn: totals(books.prices, blank ? [] : found.snn) };
    for (const side of SIDES) {
      const guess = at(`${side}-guess`), silent = side === "snn" && !scores.snn.some((one) => one > 0);
      guess.textContent = blank || (silent && !done) || !begun ? "–" : classes[answers[side]];
      guess.classList.toggle("long", classes[answers[side]].length > 2);
      guess.classList.toggle("right", done && pair.label !== null && answers[side] === pair.label);
      guess.classList.toggle("wrong", done && pair.label !== null && answers[side] !== pair.label);
      put(`${side}-joules`, blank ? "–" : si(all[side][1], "J"));
      put(`${side}-span`, blank ? "nothing is drawn" : span(all[side], state.ranges));
      const time = seconds(books.prices, books.side(side), books.profile(side), counted[side]);
      put(`${side}-clock`, clock(time, end / Math.min(state.speed, 60), "This hardware"));
    }
    put("ann-says", blank ? "" : products(sumOf(counted.ann.counts, "mac", "synaptic_op"), sumOf(counted.ann.counts, "dense_op"), books.profile("ann").skips === "all"));
    put("snn-says", blank ? "" : `${count(sumOf(counted.snn.counts, "spike"))} spikes → ${count(sumOf(counted.snn.counts, "synaptic_op", "mac"))} synaptic operations in ${step} step${step > 1 ? "s" : ""}`);
    put("note", found.note);
    this.spans.ruler = decades(SIDES.flatMap((side) => [...all[side]]), this.spans.ruler ?? null);
    drawRuler(at<HTMLCanvasElement>("ruler"), {
      ann: { all: all.ann, moving: totals(books.prices, moving.ann)[1] }, snn: { all: all.snn, moving: totals(books.prices, moving.snn)[1] },
    }, this.spans.ruler, state.ranges, colours);
  }

  /** Everything that is about all digits has to be told anew: at once after a change of the controls, else by `work`. */
  totals(pair: Pair, end: number): void {
    this.last = { pair, end };
    for (const job of this.jobs) job.due = true;
    if (this.state.running && this.told > -Infinity) return;
    this.told = performance.now();
    for (const job of this.jobs) this.run(job, this.told);
  }

  /** One piece of what is due, so that no frame has to do it all: charts four times a second, sentences once.
   * In a frame with news of this digit only what is late. */
  work(now: number, busy: boolean): void {
    const job = this.jobs.find((one) => one.due && now - one.at >= one.every * (busy ? 1.5 : 1));
    if (job) this.run(job, now);
  }

  private run(job: Job, now: number): void {
    job.due = false;
    job.at = now;
    if (this.last) job.run(this.last.pair, this.last.end);
  }

  private series(name: string, rows: Record<"ann" | "snn", Three[]>, unit: string): void {
    const span = decades(SIDES.flatMap((side) => rows[side].slice(-200).flat()), null);
    drawSeries(at<HTMLCanvasElement>(name), rows, span, unit, this.state.ranges, this.colours);
  }

  private power(): void {
    const { joules } = this.books, { rate } = this.state;
    // joules/digit * digits/s = watts
    const watts = (rows: Three[]): Three[] => rows.slice(-200).map((one) => one.map((each) => each * rate) as Three);
    this.series("power", { ann: watts(joules.ann), snn: watts(joules.snn) }, "W");
  }

  private ratio(): void {
    const { ratios } = this.books;
    drawRatio(at<HTMLCanvasElement>("ratio"), ratios, decades([0.5, 2, ...ratios.slice(-200).flat()], null), this.state.ranges, this.colours);
  }

  private seen(): void {
    const { ann, snn } = this.pack.values, { timesteps, sure } = this.state, all = timesteps === (snn.timesteps ?? timesteps);
    const stops = all ? snn.sure?.find(([margin]) => margin === sure)?.[1] : undefined;
    const after = sure && snn.sure ? stops : all ? snn.after : snn.by_step?.[timesteps - 1];
    put("seen", accuracy(this.books, { ann: ann.after, snn: after ?? null, tested: snn.tested }));
  }

  pick(event: MouseEvent, pair: Pair): void {
    const canvas = at<HTMLCanvasElement>("snn-hidden"), box = canvas.getBoundingClientRect();
    this.picked = Math.min(Math.floor(((event.clientY - box.top) / box.height) * this.hidden(pair).size), this.hidden(pair).size - 1);
    this.told = -Infinity;
  }

  private headline(): void {
    const { books, state } = this, number = books.seen.length;
    if (!number) {
      this.verdict = null;
      put("headline", this.pad.tabIndex < 0 ? "Press Run." : "Draw a digit, or press Run.");
      put("hangs", where(this.pack.values));
      return;
    }
    const { who, hangs, verdict } = headline(books, state.ranges);
    this.verdict = verdict;
    put("headline", who);
    put("hangs", hangs);
    const rows: Array<[string, string, string]> = SIDES.map((side) => {
      const [low, nominal, high] = books.total(side);
      return [`${side.toUpperCase()}, all digits`, si(nominal, "J"), `${state.ranges ? `${span([low, nominal, high], true)}; ` : ""}${si((nominal / number) * state.rate, "W")} at ${times(state.rate)} a second`];
    });
    const free = verdict.standing === "none";
    rows.push(["ANN ÷ SNN", free ? "–" : times(books.total("ann")[1] / books.total("snn")[1]), free ? "nothing to compare" : state.ranges ? `${within(...verdict.ratio)}, prices moved together` : "nominal only"]);
    at("totals").replaceChildren(...rows.map(([term, value, more]) => {
      const group = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd"), small = document.createElement("small");
      dt.textContent = term;
      dd.textContent = value;
      small.textContent = more;
      dd.append(small);
      group.append(dt, dd);
      return group;
    }));
  }

  private tornado(): void {
    const { books, verdict } = this, number = books.seen.length;
    if (!verdict) return;
    const per = (cost: Map<string, number>): Map<string, number> => new Map([...cost].map(([key, value]) => [key, value / number]));
    const nominal = (books.total("snn")[1] - books.total("ann")[1]) / number;
    const found = swings(books.prices, per(books.cost.ann), per(books.cost.snn)).slice(0, 6);
    fillTornado(at("tornado") as HTMLTableElement, books.prices, nominal, found, verdict.hangs.map((one) => one.unknown));
  }

  private who(pair: Pair, end: number): void {
    const { books, state } = this, prices = books.prices;
    if (!books.seen.length) return;
    const counted = { ann: countedOf(pair.ann), snn: countedOf(pair.snn, end) }, found = books.ledgers(counted.ann, counted.snn);
    const each = slopes(prices, books.side("snn"), books.profile("snn"), counted.snn, state);
    const dearest = neurons(pair.snn, each);
    fillWho(at("who") as HTMLTableElement, prices, [["ANN", found.ann], ["SNN", found.snn]], dearest);
    if (this.picked === null) return;
    const one = dearest.find(({ name, at: place }) => name === this.hidden(pair).name && place === this.picked);
    if (one) put("who-says", `Neuron ${one.at}: ${one.spikes} spikes cost ${si(one.joules, "J")}, ${percent(one.joules / totals(prices, found.snn)[1])} of this digit.`);
  }

  private numbers(): void {
    const { books } = this, names = this.pack.values.data.classes;
    const digits = books.seen.slice(-20).map((seen, index): Digit => {
      const place = Math.max(books.seen.length - 20, 0) + index;
      return {
        label: seen.label ?? "drawn", answers: { ann: names[seen.answers.ann], snn: names[seen.answers.snn] }, timesteps: seen.snn.timesteps,
        joules: { ann: books.joules.ann[place], snn: books.joules.snn[place] },
      };
    });
    fillNumbers(at("numbers") as HTMLTableElement, digits.reverse(), this.state.ranges);
  }

  private hidden(pair: Pair) {
    const { populations } = pair.snn;
    return populations[populations.length > 1 && populations[0].size === pair.pixels.length ? 1 : 0];
  }

  private drawStrokes(size: number): void {
    const pen = this.pad.getContext("2d") as CanvasRenderingContext2D;
    pen.strokeStyle = this.colours.snn;
    pen.lineWidth = 3;
    pen.lineCap = pen.lineJoin = "round";
    for (const stroke of this.strokes) {
      pen.beginPath();
      for (const [x, y] of stroke) pen.lineTo(x * size, y * size);
      pen.stroke();
    }
    if (this.pen.cursor) {
      pen.beginPath();
      pen.arc(this.pen.cursor[0] * size, this.pen.cursor[1] * size, 6, 0, 7);
      pen.stroke();
    }
  }
}

/** Say something, if it is something else than before. */
function put(name: string, text: string): void {
  const element = at(name);
  if (element.textContent !== text) element.textContent = text;
}

function at<T extends HTMLElement>(name: string): T {
  return document.getElementById(name) as T;
}

function sumOf(counts: Record<string, number>, ...events: string[]): number {
  let sum = 0;
  for (const name in counts) if (events.includes(name.slice(name.indexOf("|") + 1))) sum += counts[name];
  return sum;
}

/** Scores as shares that add up to 1. */
function softened(scores: Float64Array): number[] {
  const most = Math.max(...scores), raised = [...scores].map((one) => Math.exp(one - most)), sum = raised.reduce((a, b) => a + b, 0);
  return raised.map((one) => one / sum);
}
