// A server that records: `spikeledger serve`. Whatever is lost on the way is asked for again once the line is back.

import type { TakeValues } from "./recorded";

export interface Takes {
  ann: TakeValues;
  snn: TakeValues;
}

/** What the page is told besides takes. */
export interface News {
  line(open: boolean): void;
  changed(says: string): void; // the networks are others now
  prices(prices: unknown): void;
  refused(says: string): void;
}

interface Asked {
  text: string;
  done: (takes: Takes) => void;
}

/** Milliseconds between tries to come back, doubled each time up to the longest. */
const FIRST = 250, LONGEST = 8000;

export class Line {
  private socket: WebSocket | null = null;
  private waiting = new Map<number, Asked>();
  private turn = 0;
  private wait = FIRST;

  constructor(private address: string, private news: News) {
    this.open();
  }

  ask(what: Record<string, unknown>): Promise<Takes> {
    const turn = ++this.turn, text = JSON.stringify({ ...what, turn });
    return new Promise((done) => {
      this.waiting.set(turn, { text, done });
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
    });
  }

  private open(): void {
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.onopen = () => {
      this.wait = FIRST;
      this.news.line(true);
      for (const { text } of this.waiting.values()) socket.send(text);
    };
    socket.onmessage = (event) => this.heard(JSON.parse(event.data as string));
    socket.onclose = () => {
      this.news.line(false);
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST);
    };
  }

  private heard(told: { kind: string; turn?: number; says?: string; prices?: unknown } & Partial<Takes>): void {
    if (told.kind === "prices") this.news.prices(told.prices);
    else if (told.kind === "changed") this.news.changed(told.says ?? "");
    else if (told.kind === "take" && told.turn !== undefined) {
      this.waiting.get(told.turn)?.done(told as Takes);
      this.waiting.delete(told.turn);
    } else if (told.kind === "refused") {
      this.news.refused(told.says ?? "");
      if (told.turn !== undefined) this.waiting.delete(told.turn);
    }
  }
}
