// The book's figures: every element with data-widget gets its sliders, and draws itself anew when one moves.

import "./search";
import { draw } from "./draw";
import { type Given, MODELS, type Settings } from "./models";

interface Slider { name: string; label: string; low: number; high: number; step: number; start: number; choices?: string[] }
interface Spec { sliders: Slider[]; x: string; y: string; says: string; given: Given }

/** A sentence with {0}, {1}, ... for its numbers, three digits each. */
export function sentence(words: string, numbers: number[]): string {
  return words.replace(/\{(\d)\}/g, (_, which) => {
    const value = numbers[Number(which)];
    if (Math.abs(value) < 1e-6) return "0";
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  });
}

function start(figure: HTMLElement): void {
  const spec = JSON.parse(figure.querySelector("script")?.textContent ?? "{}") as Spec;
  const model = MODELS[figure.dataset.widget ?? ""], still = figure.querySelector(".still"), out = figure.querySelector(".says");
  if (!model || !still || !out) return;
  const settings: Settings = {};
  const show = () => {
    const shown = model(settings, spec.given);
    const words = sentence(spec.says, shown.says);
    draw(still, shown, { x: spec.x, y: spec.y, words });
    out.textContent = words;
  };
  const controls = document.createElement("div");
  controls.className = "sliders";
  for (const one of spec.sliders) {
    settings[one.name] = one.start;
    const label = document.createElement("label"), value = document.createElement("output"), input = document.createElement("input");
    const told = () => { value.textContent = one.choices ? one.choices[settings[one.name]] : String(settings[one.name]); };
    input.type = "range";
    Object.assign(input, { min: String(one.low), max: String(one.high), step: String(one.step), value: String(one.start) });
    input.setAttribute("aria-label", one.label);
    input.addEventListener("input", () => {
      settings[one.name] = Number(input.value);
      told();
      show();
    });
    told();
    label.append(`${one.label} `, value, input);
    controls.append(label);
  }
  figure.append(controls);
  show();
}

// the theme has two drawers, which a screen reader could not tell apart
document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");

// and its page of search results has no heading of its own
const results = document.querySelector("#search-results");
if (results && !document.querySelector("h1")) {
  const heading = document.createElement("h1");
  heading.textContent = "Search";
  results.before(heading);
}

document.querySelectorAll<HTMLElement>("[data-widget]").forEach(start);
Object.assign(globalThis, { spikebook: MODELS });
