/** Terminals: several run at once. What one can do is its shell, which comes when it is first shown. */

import type { Client } from "../engine/client";
import type { Shell } from "./shell.svelte";

const NOTES_MAX = 50;

let serial = 0;

export class Terminal {
  readonly id = ++serial;
  /** The command that runs. */
  running = $state<number | null>(null);
  /** What is to be said of it to ears; a new object for each thing. */
  news = $state.raw<{ text: string } | null>(null);
  shell: Shell | null = null;
  /** What it was told before it had a shell. */
  notes: string[] = [];

  constructor(readonly client: Client) {}

  /** Shows the command line of something done by hand. */
  gui(line: string) {
    if (this.shell) this.shell.gui(line);
    else this.notes = [...this.notes, line].slice(-NOTES_MAX);
  }

  close() {
    this.shell?.close();
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

  /** As many as one can tell apart. */
  get full() {
    return this.all.length > 11;
  }

  add() {
    if (this.full) return;
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
