/** What a terminal does: lines become commands or a command's input, and what it prints becomes lines. */

import type { Push } from "../engine/rpc";
import { errorText } from "../words";
import { live } from "../words/telling";
import { terminal as w } from "../words/terminal";
import { perFrame } from "./perFrame";
import { CHARS_MAX, type LineKind, Scrollback } from "./scrollback";
import type { Terminal } from "./terminal.svelte";

const HISTORY_MAX = 200;
/** What may be pasted at once, in characters. */
const PASTE_MAX = 1_000_000;
/** The most text that goes to a command in one message, in characters. */
const STDIN_MAX = 64_000;
/** What may come in before the answer that says whose it is. */
const EARLY_MAX = 10_000;
/** What a tool that reads lines shows when it wants the next one. */
const PROMPT = ">";

type Output = Extract<Push, { push: "stdout" | "stderr" | "exit" }>;

export class Shell {
  readonly log = new Scrollback();
  /** Grows with every change of the log; at most once per picture. */
  version = $state(0);
  /** Output without its newline yet: the prompt of a running command. */
  partial = $state("");
  draft = $state("");
  /** Lines that wait for the command before them to end. */
  waiting = $state(0);
  private queue: string[] = [];
  private history: string[] = [];
  private at = 0;
  /** What stood in the input at a place of the history, and was left without being run. */
  private drafts = new Map<number, string>();
  /** The command prompts for lines; and so many prompts were shown before they came. */
  private prompts = false;
  private ahead = 0;
  /** How many lines the command has printed, and the last of them that says something. */
  private printed = 0;
  private last = "";
  private early: Output[] = [];
  private starting = false;
  private closed = false;
  /** Ctrl+C came before the command had a number. */
  private cancelled = false;
  private pending: { kind: "out" | "err"; text: string }[] = [];
  private pendingChars = 0;
  private readonly applied = perFrame(() => this.apply());
  private readonly stop: () => void;

  constructor(private readonly terminal: Terminal) {
    this.stop = terminal.client.onPush((push) => this.take(push));
    for (const line of terminal.notes) this.log.add("gui", line);
    terminal.notes = [];
  }

  get running(): number | null {
    return this.terminal.running;
  }

  /** Enters what stands in the input. */
  submit() {
    const text = this.draft;
    this.draft = "";
    this.enter([text]);
  }

  /** Takes pasted text into the input; `false` when it is one line, which the input takes by itself. */
  paste(text: string, start: number, end: number): boolean {
    const lines = text.split(/\r\n|\r|\n/);
    if (lines.length === 1) return false;
    if (text.length > PASTE_MAX) {
      this.add("err", w.tooLong);
      return true;
    }
    lines[0] = this.draft.slice(0, start) + lines[0];
    // What is behind the last newline waits in the input, as in every shell.
    this.draft = (lines.pop() ?? "") + this.draft.slice(end);
    this.enter(lines);
    return true;
  }

  interrupt() {
    this.wait([]);
    if (this.running === null) {
      this.draft = "";
      this.cancelled = this.starting;
      this.forget();
      return;
    }
    this.applied.now();
    this.add("input", `${this.partial}${this.draft}^C`);
    [this.partial, this.draft] = ["", ""];
    void this.terminal.client.signal(this.running).catch(() => {});
  }

  /** Ends the input; a last line without its end goes with it. */
  endInput() {
    if (this.running === null) return;
    this.applied.now();
    if (this.draft !== "") void this.terminal.client.stdin(this.running, this.draft).catch(() => {});
    if (this.partial + this.draft !== "") this.add("input", this.partial + this.draft);
    [this.partial, this.draft] = ["", ""];
    void this.terminal.client.eof(this.running).catch(() => {});
  }

  /** Goes through the history; what was typed meanwhile is found where it was left. */
  recall(by: -1 | 1) {
    const to = Math.min(Math.max(this.at + by, 0), this.history.length);
    if (to === this.at) return;
    this.drafts.set(this.at, this.draft);
    this.at = to;
    this.draft = this.drafts.get(to) ?? this.history[to] ?? "";
  }

  gui(line: string) {
    this.add("gui", line);
  }

  clear() {
    this.log.clear();
    this.version++;
  }

  close() {
    this.closed = true;
    this.stop();
    if (this.running !== null) void this.terminal.client.signal(this.running).catch(() => {});
  }

  private enter(lines: string[]) {
    if (this.running === null || this.queue.length > 0) this.wait([...this.queue, ...lines]);
    else this.feed(lines);
    this.go();
  }

  private wait(lines: string[]) {
    this.queue = lines;
    this.waiting = lines.length;
  }

  /** Gives what waits to whoever can take it: the prompt, or a command that prompts. */
  private go() {
    while (this.queue.length > 0 && !this.starting) {
      const [line = "", ...rest] = this.queue;
      if (this.running === null) {
        this.wait(rest);
        void this.start(line.trim());
      } else if (this.prompts) {
        const lines = this.queue;
        this.wait([]);
        this.feed(lines);
      } else return;
    }
  }

  private async start(line: string) {
    this.forget();
    if (line === "") return;
    this.history = [...this.history.filter((h) => h !== line), line].slice(-HISTORY_MAX);
    this.at = this.history.length;
    this.add("command", `${w.prompt} ${line}`);
    if (line === "clear") return this.clear();
    this.starting = true;
    [this.prompts, this.ahead, this.cancelled] = [false, 0, false];
    [this.printed, this.last] = [0, ""];
    try {
      const id = await this.terminal.client.spawn(line);
      this.terminal.running = id;
      if (this.closed || this.cancelled) void this.terminal.client.signal(id).catch(() => {});
      for (const push of this.early) this.take(push);
    } catch (why) {
      this.add("err", errorText(why));
    }
    this.early = [];
    this.starting = false;
    this.go();
  }

  /** Gives lines to the running command. Where it prompts, each stands behind a prompt of its own. */
  private feed(lines: string[]) {
    const id = this.running;
    if (id === null) return;
    this.applied.now();
    let text = "";
    const send = () => {
      const sent = this.terminal.client.stdin(id, text);
      void sent.catch((why) => this.add("err", errorText(why)));
      text = "";
    };
    for (const line of lines) {
      if (this.prompts && this.partial === "") {
        this.partial = PROMPT;
        this.ahead++;
      }
      this.add("input", this.partial + line);
      this.partial = "";
      text += `${line}\n`;
      if (text.length > STDIN_MAX) send();
    }
    if (text !== "") send();
  }

  private forget() {
    this.drafts.clear();
    this.at = this.history.length;
  }

  private take(push: Push) {
    if (push.push === "notice") {
      // Nobody is left in the worker to say that its commands are over.
      const { code } = push.notice;
      if ((code === "restarted" || code === "down") && this.running !== null) this.end(0, "restarted");
      return;
    }
    if (push.push !== "stdout" && push.push !== "stderr" && push.push !== "exit") return;
    if (this.starting && this.running === null) {
      if (this.early.length < EARLY_MAX) this.early.push(push);
      return;
    }
    if (push.id !== this.running) return;
    if (push.push === "exit") return this.end(push.code, push.why);
    this.pending.push({ kind: push.push === "stdout" ? "out" : "err", text: push.text });
    this.pendingChars += push.text.length;
    // More than is ever kept need not wait to be shown.
    while (this.pendingChars > 2 * CHARS_MAX) this.pendingChars -= this.pending.shift()?.text.length ?? 0;
    this.applied.ask();
  }

  private end(code: number, why: keyof typeof w.ended | undefined) {
    this.applied.now();
    if (this.partial !== "") this.add("out", this.partial);
    this.partial = "";
    if (why !== undefined) {
      this.wait([]);
      this.add("exit", w.ended[why]);
      [this.printed, this.last] = [1, w.ended[why]];
    } else if (code !== 0) this.add("exit", w.exit(code));
    this.terminal.running = null;
    this.terminal.news = { text: live.ended(this.printed, this.last) };
    this.go();
  }

  /** What has come since the last picture becomes lines. */
  private apply() {
    if (this.pending.length === 0) return;
    let partial = this.partial;
    for (const { kind, text } of this.pending) {
      const lines = text.split("\n");
      if (kind === "err") {
        if (lines.at(-1) === "") lines.pop();
      } else {
        lines[0] = partial + this.withoutKnown(lines[0] ?? "", partial);
        partial = lines.pop() ?? "";
      }
      for (const line of lines) {
        this.log.add(kind, line);
        this.printed++;
        if (line.trim() !== "") this.last = line;
      }
    }
    this.pending = [];
    this.pendingChars = 0;
    this.partial = partial;
    this.version++;
    if (partial === PROMPT) {
      this.prompts = true;
      this.go();
    }
  }

  /** Without the prompts that stand in the log already. */
  private withoutKnown(text: string, partial: string): string {
    let rest = text;
    while (this.ahead > 0 && partial === "" && rest.startsWith(PROMPT)) {
      rest = rest.slice(PROMPT.length);
      this.ahead--;
    }
    return rest;
  }

  private add(kind: LineKind, text: string) {
    this.log.add(kind, text);
    this.version++;
  }
}
