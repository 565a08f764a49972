// What leaves the page when asked: a picture, a table, and the state with its numbers.

import type { Books } from "./books";
import type { Values } from "./unpack";
import { writeState, type State } from "./state";

export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function csv(books: Books, values: Values): string {
  const lines = ["digit,ann_answer,snn_answer,steps,ann_low,ann_nominal,ann_high,snn_low,snn_nominal,snn_high"];
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  books.seen.forEach((one, at) => {
    const answers = [one.answers.ann, one.answers.snn].map((answer) => quoted(values.data.classes[answer]));
    lines.push([quoted(one.label ?? ""), ...answers, one.snn.timesteps, ...books.joules.ann[at], ...books.joules.snn[at]].join(","));
  });
  return `${lines.join("\n")}\n`;
}

export function json(books: Books, values: Values, state: State): string {
  return JSON.stringify({
    schema: "spikeledger-live-export/1", made_by: `SpikeLedger ${values.version}`, state, link: writeState(state),
    joules: { ann: books.total("ann"), snn: books.total("snn") },
    digits: books.seen.map((one, at) => ({ ...one, joules: { ann: books.joules.ann[at], snn: books.joules.snn[at] } })),
  }, null, 1);
}

/** The canvases and sentences of the page on one picture. */
export function picture(colours: { surface: string; ink: string; muted: string }): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = 1200;
  canvas.height = 760;
  const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
  pen.fillStyle = colours.surface;
  pen.fillRect(0, 0, 1200, 760);
  const say = (id: string, x: number, y: number, font: string, wide: number): void => {
    pen.font = font;
    pen.fillStyle = id === "hangs" ? colours.muted : colours.ink;
    pen.fillText(document.getElementById(id)?.textContent ?? "", x, y, wide);
  };
  say("headline", 30, 50, "bold 30px system-ui, sans-serif", 1140);
  say("hangs", 30, 84, "18px system-ui, sans-serif", 1140);
  const put = (id: string, x: number, y: number, wide: number, high: number): void => {
    const from = document.getElementById(id) as HTMLCanvasElement | null;
    if (from?.width) pen.drawImage(from, x, y, wide, high);
  };
  put("pad", 30, 120, 250, 250);
  ["ann", "snn"].forEach((side, at) => {
    const x = 310 + at * 440;
    say(`${side}-title`, x, 136, "bold 18px system-ui, sans-serif", 420);
    put(`${side}-hidden`, x, 150, 420, 130);
    put(`${side}-bars`, x + 80, 290, 340, 80);
    say(`${side}-guess`, x + 16, 348, "bold 52px system-ui, sans-serif", 60);
    say(`${side}-joules`, x, 408, "bold 28px system-ui, sans-serif", 180);
    say(`${side}-span`, x + 150, 408, "17px system-ui, sans-serif", 270);
  });
  put("ruler", 310, 440, 860, 120);
  put("history", 30, 580, 560, 160);
  put("ratio", 610, 580, 560, 160);
  return new Promise((done) => canvas.toBlob((blob) => done(blob as Blob), "image/png"));
}
