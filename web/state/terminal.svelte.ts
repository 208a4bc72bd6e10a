/** Terminals: each has a log, a history and at most one running command. Several run at once. */

import type { Client } from "../engine/client";
import type { Push } from "../engine/rpc";
import { errorText } from "../words";

const LINES_MAX = 2000;
const HISTORY_MAX = 200;
/** Longest piece of one line that is kept; the rest is cut off. */
const LINE_MAX = 4000;

export type LineKind = "command" | "out" | "err" | "input" | "gui" | "exit";

export interface TerminalLine {
  id: number;
  kind: LineKind;
  text: string;
}

let serial = 0;

export class Terminal {
  lines = $state.raw<TerminalLine[]>([]);
  trimmed = $state(false);
  running = $state<number | null>(null);
  /** Output without its newline yet: the prompt of a running command. */
  partial = $state("");
  draft = $state("");
  readonly id = ++serial;
  private history: string[] = [];
  private at = 0;
  private early: Push[] = [];
  private starting = false;
  private readonly stop: () => void;

  constructor(private readonly client: Client) {
    this.stop = client.onPush((push) => this.take(push));
  }

  async submit() {
    const text = this.draft;
    this.draft = "";
    if (this.running !== null) {
      this.add("input", this.partial + text);
      this.partial = "";
      await this.client.stdin(this.running, `${text}\n`).catch((why) => this.add("err", errorText(why)));
      return;
    }
    const line = text.trim();
    if (line === "" || this.starting) return;
    this.history = [...this.history.filter((h) => h !== line), line].slice(-HISTORY_MAX);
    this.at = this.history.length;
    this.add("command", line);
    if (line === "clear") {
      this.lines = [];
      return;
    }
    this.starting = true;
    try {
      this.running = await this.client.spawn(line);
      for (const push of this.early) this.take(push);
    } catch (why) {
      this.add("err", errorText(why));
    }
    this.early = [];
    this.starting = false;
  }

  interrupt() {
    if (this.running === null) {
      this.draft = "";
      return;
    }
    this.add("input", `${this.partial}${this.draft}^C`);
    [this.partial, this.draft] = ["", ""];
    void this.client.signal(this.running).catch(() => {});
  }

  endInput() {
    if (this.running === null) return;
    if (this.partial !== "") this.add("out", this.partial);
    this.partial = "";
    void this.client.eof(this.running).catch(() => {});
  }

  recall(by: -1 | 1) {
    this.at = Math.min(Math.max(this.at + by, 0), this.history.length);
    this.draft = this.history[this.at] ?? "";
  }

  gui(line: string) {
    this.add("gui", line);
  }

  close() {
    this.stop();
    if (this.running !== null) void this.client.signal(this.running).catch(() => {});
  }

  private take(push: Push) {
    if (push.push !== "stdout" && push.push !== "stderr" && push.push !== "exit") return;
    if (this.starting && this.running === null) {
      this.early.push(push);
      return;
    }
    if (push.id !== this.running) return;
    if (push.push === "exit") {
      if (this.partial !== "") this.add("out", this.partial);
      this.partial = "";
      if (push.code !== 0) this.add("exit", String(push.code));
      this.running = null;
    } else if (push.push === "stderr") this.addText("err", push.text);
    else {
      const whole = this.partial + push.text;
      const cut = whole.lastIndexOf("\n");
      this.partial = whole.slice(cut + 1);
      if (cut >= 0) this.addText("out", whole.slice(0, cut + 1));
    }
  }

  private addText(kind: LineKind, text: string) {
    const fresh = text.replace(/\n$/, "").split("\n");
    this.append(fresh.map((line) => ({ id: ++serial, kind, text: line.slice(0, LINE_MAX) })));
  }

  private add(kind: LineKind, text: string) {
    this.append([{ id: ++serial, kind, text: text.slice(0, LINE_MAX) }]);
  }

  private append(fresh: TerminalLine[]) {
    const all = [...this.lines, ...fresh];
    if (all.length > LINES_MAX) this.trimmed = true;
    this.lines = all.slice(-LINES_MAX);
  }
}

export class Terminals {
  all = $state.raw<Terminal[]>([]);
  current = $state(0);

  constructor(private readonly client: Client) {
    this.all = [new Terminal(client)];
  }

  get active(): Terminal | undefined {
    return this.all[this.current];
  }

  add() {
    this.all = [...this.all, new Terminal(this.client)];
    this.current = this.all.length - 1;
  }

  close(index: number) {
    this.all[index]?.close();
    const rest = this.all.filter((_, i) => i !== index);
    this.all = rest.length > 0 ? rest : [new Terminal(this.client)];
    this.current = Math.min(this.current, this.all.length - 1);
  }
}
