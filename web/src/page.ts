// The page: what is shown when. `globalThis.spikeledger` is the engine for whoever wants to use it without the page.

import { Books } from "./books";
import { coloursOf, watchSizes } from "./charts";
import { countedOf, engineOf, localEngine, type Pair, profileOf, replayEngine } from "./engine";
import { csv, json, picture, save } from "./export";
import { flowOf, ledger, seconds, STATIC, type StaticMode, switched, totals } from "./joules";
import { listenToPad, pixelsOfStrokes, type Stroke } from "./pad";
import { encode, runOrdinary, runSpiking } from "./spike";
import { type Choices, readState, type State, writeState } from "./state";
import { networkOf, pixelsOf, unpack } from "./unpack";
import { costOf, extremes, judge, swings } from "./verdict";
import { View } from "./view";
import { unknown } from "./words";

Object.assign(globalThis, {
  spikeledger: {
    encode, runOrdinary, runSpiking, localEngine, replayEngine, countedOf, profileOf, unpack, networkOf, pixelsOf, ledger, switched, totals,
    seconds, Books, flowOf, costOf, extremes, judge, swings, pixelsOfStrokes,
  },
});

const PUBLISHED = { ann: "published-notebook-000-v100", snn: "published-notebook-000-loihi" };
const FIRST = { ann: "horowitz-45nm-int8", snn: "loihi" };

async function start(packed: string): Promise<void> {
  const pack = await unpack(packed), { values } = pack;
  const prices = values.prices;
  let ready = false;
  const engine = engineOf(pack, {
    line: (open) => view.line(open),
    changed: (says) => { view.say(says); if (ready && !state.running) void again(); },
    prices: (found) => { Object.assign(prices, found); books.reprice(); }, // its numbers stand at other places now
    refused: (says) => view.say(says),
  });
  const has = (side: "ann" | "snn", name: string): boolean => prices.sides[side].profiles.some((one) => one.name === name);
  const first: State = {
    ann: profileOf(prices, "ann", FIRST.ann).name, snn: profileOf(prices, "snn", FIRST.snn).name, timesteps: engine.timesteps,
    rate: 20, static: "computing", memory: true, ranges: true, flow: "auto", sure: 0, speed: 24, sample: 0, seed: 1,
    running: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  };
  const choices: Choices = {
    ann: prices.sides.ann.profiles.map((one) => one.name), snn: prices.sides.snn.profiles.map((one) => one.name), static: STATIC,
    flow: [...document.querySelectorAll<HTMLOptionElement>("#flow option")].map((one) => one.value),
    sure: ["0", ...(values.snn.sure ?? []).map(([margin]) => String(margin))],
  };
  const linked = (): { state: State; remarks: string } => {
    const found = readState(location.hash, first, choices);
    found.state.sample %= engine.count;
    return { state: found.state, remarks: found.unknown.map(([name, value]) => unknown(name, value, prices)).join(" ") };
  };
  const { state, remarks } = linked();
  const books = new Books(prices, state), strokes: Stroke[] = [];
  const view = new View(pack, books, state);
  // nothing can be asked for before both have read the first sample
  let pair = await engine.show(state.sample, state.timesteps, state.seed), cursor = 0, last = 0, held = 0, booked = false, drawing = false, asked = 0, counted = false;

  const end = (): number => {
    if (!state.sure) return pair.snn.timesteps;
    const classes = values.data.classes.length;
    for (let t = 0; t < pair.snn.timesteps; t++) {
      const row = [...pair.snn.scores.subarray(t * classes, (t + 1) * classes)].sort((a, b) => b - a);
      if (row[0] - (row[1] ?? 0) >= state.sure) return t + 1;
    }
    return pair.snn.timesteps;
  };
  const shared = (globalThis as unknown as { spikeledger: { times?: number[]; ready?: number } }).spikeledger;
  const show = (): void => view.show(pair, cursor, end());
  const fast = (): boolean => state.running && state.speed > 60; // whole digits, without their steps
  const book = (): void => {
    if (booked) return;
    booked = true;
    const answers = { ann: pair.ann.answers[0], snn: pair.snn.answers[end() - 1] };
    const right = (answer: number): boolean | null => (pair.label === null ? null : answer === pair.label);
    if (drawing) { // a digit of several strokes is one digit
      if (counted) books.takeBack();
      counted = true;
    }
    books.add({
      label: pair.label === null ? null : values.data.classes[pair.label], answers, right: { ann: right(answers.ann), snn: right(answers.snn) },
      ann: countedOf(pair.ann), snn: countedOf(pair.snn, end()),
    });
    view.totals(pair, end());
  };
  const take = (found: Pair, from: number): void => {
    pair = found;
    cursor = from;
    held = 0;
    booked = false;
    const begin = performance.now();
    show();
    shared.times?.push(performance.now() - begin);
  };
  const next = async (sample = state.sample + 1, from = 0): Promise<void> => {
    strokes.length = 0;
    drawing = counted = false;
    state.sample = sample % engine.count;
    state.seed = (state.seed + 1) % 2 ** 31;
    const turn = ++asked, found = await engine.show(state.sample, state.timesteps, state.seed);
    if (turn !== asked) return;
    take(found, fast() ? found.snn.timesteps : from);
    if (cursor >= end()) book();
  };
  const again = async (): Promise<void> => {
    const turn = ++asked, { draw } = engine;
    const found = pair.sample === null && draw ? await draw(pair.pixels, state.timesteps, state.seed) : await engine.show(pair.sample ?? 0, state.timesteps, state.seed);
    if (turn === asked) take(found, found.snn.timesteps);
  };
  const remember = (): void => history.replaceState(null, "", writeState(state));
  const changed = (rerun = false): void => {
    books.reprice();
    view.controls();
    if (rerun) void again().then(() => view.totals(pair, end()));
    else { show(); view.totals(pair, end()); }
    remember();
  };
  const run = (on: boolean): void => {
    state.running = on;
    view.controls();
    view.totals(pair, end());
    remember();
  };
  const step = (): void => {
    run(false);
    if (cursor >= end()) void next(undefined, 1);
    else {
      cursor++;
      if (cursor >= end()) book();
      show();
    }
  };
  const frame = (now: number): void => {
    requestAnimationFrame(frame);
    const begin = performance.now();
    view.work(now, moved(now));
    shared.times?.push(performance.now() - begin);
  };
  const moved = (now: number): boolean => {
    const passed = Math.min((now - last) / 1000, 0.1);
    last = now;
    if (!state.running || document.hidden) return false;
    if (cursor < end()) {
      const before = Math.floor(cursor);
      cursor = fast() ? end() : Math.min(cursor + passed * state.speed, end());
      if (Math.floor(cursor) === before) return false;
      if (cursor >= end()) book();
      show();
      return true;
    }
    held += passed;
    if (held <= (fast() ? 0.05 : drawing ? 6 : 0.7)) return false;
    held = -1e9;
    void next();
    return true;
  };

  // drawing
  const { draw } = engine, pad = view.pad;
  if (draw) view.pen = listenToPad(pad, strokes, (lifted) => {
    if (!strokes.length) return show();
    drawing = true;
    const pixels = pixelsOfStrokes(strokes, values.data), turn = ++asked;
    void draw(pixels, state.timesteps, state.seed).then((found) => {
      if (turn !== asked) return;
      take(found, found.snn.timesteps);
      if (lifted) book();
    });
  });
  pad.addEventListener("blur", show);
  view.strokes = strokes;

  // controls
  const id = <T extends HTMLElement>(name: string): T => document.getElementById(name) as T;
  id("run").addEventListener("click", () => run(!state.running));
  id("step").addEventListener("click", step);
  id("clear").addEventListener("click", () => {
    strokes.length = 0;
    counted = false;
    books.clear();
    run(false);
    if (draw) void draw(new Float64Array(pair.pixels.length), state.timesteps, state.seed).then((found) => { drawing = true; take(found, 0); booked = true; view.totals(pair, end()); });
    else view.totals(pair, end());
  });
  for (const side of ["ann", "snn"] as const)
    id<HTMLSelectElement>(`${side}-profile`).addEventListener("change", (event) => { state[side] = (event.target as HTMLSelectElement).value; changed(); });
  const slider = (name: string, set: (value: number) => void, rerun = false): void =>
    id<HTMLInputElement>(name).addEventListener("input", (event) => { set(Number((event.target as HTMLInputElement).value)); changed(rerun); });
  slider("t", (value) => (state.timesteps = value), true);
  slider("rate", (value) => (state.rate = 10 ** value));
  slider("speed", (value) => (state.speed = value));
  document.querySelectorAll<HTMLInputElement>("input[name=static]").forEach((one) => one.addEventListener("change", () => { state.static = one.value as StaticMode; changed(); }));
  for (const name of ["memory", "ranges"] as const) id<HTMLInputElement>(name).addEventListener("change", (event) => { state[name] = (event.target as HTMLInputElement).checked; changed(); });
  id<HTMLSelectElement>("flow").addEventListener("change", (event) => { state.flow = (event.target as HTMLSelectElement).value; changed(); });
  id<HTMLSelectElement>("sure").addEventListener("change", (event) => { state.sure = Number((event.target as HTMLSelectElement).value); changed(); });
  let before = { ann: first.ann, snn: first.snn };
  const published = id<HTMLButtonElement>("published");
  published.hidden = !has("ann", PUBLISHED.ann) || !has("snn", PUBLISHED.snn);
  published.addEventListener("click", () => {
    const on = state.ann === PUBLISHED.ann && state.snn === PUBLISHED.snn;
    if (!on) before = { ann: state.ann, snn: state.snn };
    Object.assign(state, on ? before : PUBLISHED);
    changed();
  });
  id("link").addEventListener("click", () => {
    const link = location.href.replace(/#.*/, "") + writeState(state);
    remember();
    const done = navigator.clipboard?.writeText(link) ?? Promise.reject(new Error("no clipboard"));
    done.then(() => view.say("The link is copied."), () => view.say("The link stands in the address bar."));
  });
  id("csv").addEventListener("click", () => save("live.csv", new Blob([csv(books, values)], { type: "text/csv" })));
  id("json").addEventListener("click", () => save("live.json", new Blob([json(books, values, state)], { type: "application/json" })));
  id("png").addEventListener("click", () => void picture(coloursOf()).then((blob) => save("live.png", blob)));
  id("snn-hidden").addEventListener("click", (event) => { view.pick(event as MouseEvent, pair); show(); view.totals(pair, end()); });
  document.addEventListener("keydown", (event) => {
    const on = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "BUTTON", "SUMMARY"].includes(on.tagName) || on === pad) return;
    const key = event.key.toLowerCase();
    if (/^\d$/.test(key)) {
      const label = Number(key), from = state.sample + 1;
      for (let at = 0; at < engine.count; at++) if (values.data.labels[(from + at) % engine.count] === label) { void next(from + at); break; }
    } else if (key === " ") run(!state.running);
    else if (key === "arrowright") step();
    else if (key === "c") id("clear").click();
    else if (key === "s") { state.static = STATIC[(STATIC.indexOf(state.static) + 1) % STATIC.length]; changed(); }
    else if (key === "m") { state.memory = !state.memory; changed(); }
    else if (key === "r") { state.ranges = !state.ranges; changed(); }
    else if (key === "t") id("t").focus();
    else return;
    event.preventDefault();
  });
  const redraw = (): void => { view.recolour(); show(); view.totals(pair, end()); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  watchSizes(redraw);

  const open = (found: Pair, says: string): void => {
    take(found, 0);
    cursor = state.running ? 0 : end();
    if (!state.running) book();
    view.controls();
    redraw();
    view.say(says);
  };
  addEventListener("hashchange", () => { // another link in an open page: as though it had been opened with it
    const { state: asks, remarks } = linked(), turn = ++asked;
    Object.assign(state, asks);
    strokes.length = 0;
    drawing = counted = false;
    void engine.show(state.sample, state.timesteps, state.seed).then((found) => {
      if (turn !== asked) return;
      books.clear();
      open(found, remarks);
    });
  });

  if (!pair.snn.by_step) id<HTMLInputElement>("t").disabled = true;
  open(pair, remarks);
  ready = true;
  document.documentElement.dataset.ready = "yes";
  shared.ready = performance.now();
  requestAnimationFrame(frame);
}

const packed = document.getElementById("payload")?.textContent;
if (packed)
  start(packed).catch((error: unknown) => {
    const headline = document.getElementById("headline");
    if (headline) headline.textContent = `This page needs a newer browser: ${String(error)}`;
  });
