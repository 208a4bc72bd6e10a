/**
 * `window.brooklet`: the page for tests, embedders and curious people. Stable; see DESIGN.md.
 *
 * What it gives out it takes back: a world time and an offset are decimal text or numbers. The worker refuses
 * whatever else it is given (`invalid-argument`), and what it takes is in `./generated/messages`.
 */

import type { Client } from "./client";
import { type Opened, type RecordView, Refusal, type Snapshot, type Status } from "./rpc";

export type Typed = string | Uint8Array | ArrayBuffer;

export interface Running {
  stdin: WritableStream<Typed>;
  stdout: ReadableStream<string>;
  stderr: ReadableStream<string>;
  done: Promise<number>;
  kill(): void;
}

export interface BrookletApi {
  /** Settles when this tab has a workspace open that it owns; in one that waits for another, once it has taken over. */
  ready: Promise<unknown>;
  /** Which workspace this tab has or waits for, whether it owns it, and who does meanwhile. While it waits, every
      other call is refused with the code `not-owner`. */
  status(): Promise<Status>;
  cli(line: string, stdin?: Typed): Promise<{ code: number; stdout: string; stderr: string }>;
  spawn(line: string): Running;
  snapshot(): Promise<Snapshot>;
  records(topic: string, partition: number, fromOffset: number | string, max: number): Promise<RecordView[]>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  speed(x: number): Promise<void>;
  step(by?: "event" | "record"): Promise<void>;
  /** A world time in milliseconds, as in a snapshot or as a number. */
  seek(t: number | string): Promise<void>;
  connect(brokerId: number): Promise<MessagePort>;
}

export function brookletApi(client: Client, opened: Promise<Opened>): BrookletApi {
  return {
    ready: owned(client, opened),
    status: () => client.status(),
    spawn: (line) => spawn(client, line),
    async cli(line, stdin = "") {
      const input = bytes(stdin);
      const running = spawn(client, line);
      const writer = running.stdin.getWriter();
      const fed = (async () => {
        await writer.write(input);
        await writer.close();
      })().catch(() => {}); // a command that ended early no longer reads
      const [stdout, stderr, code] = await Promise.all([
        text(running.stdout),
        text(running.stderr),
        running.done,
        fed,
      ]);
      return { code, stdout, stderr };
    },
    snapshot: () => client.snapshot(),
    records: (topic, partition, from, max) =>
      client.records(topic, partition, typeof from === "number" ? String(from) : from, max),
    pause: () => client.time({ op: "pause" }),
    resume: () => client.time({ op: "resume" }),
    speed: (x) => client.time({ op: "speed", x }),
    step: (by = "event") => client.time({ op: "step", by }),
    seek: (t) =>
      client.time({ op: "seek", t: typeof t === "string" && /^\d+$/.test(t) ? Number(t) : (t as number) }),
    connect: (brokerId) => client.connect(brokerId),
  };
}

async function owned(client: Client, opened: Promise<Opened>): Promise<Opened> {
  const found = await opened;
  if (found.owner) return found;
  return new Promise((resolve) => {
    const stop = client.onPush((push) => {
      if (push.push !== "opened") return;
      stop();
      resolve(push.opened);
    });
  });
}

/**
 * A command line whose code is fetched when the first one is started: streams that stand at once, and lead
 * to the command's own.
 */
function spawn(client: Client, line: string): Running {
  const running = import("./running").then((code) => code.spawn(client, line));
  const writer = running.then(({ stdin }) => stdin.getWriter());
  // What goes wrong is said by `done`.
  writer.catch(() => {});
  return {
    stdin: new WritableStream<Typed>({
      write: async (chunk) => (await writer).write(bytes(chunk)),
      close: async () => (await writer).close(),
      abort: async (why) => (await writer).abort(why),
    }),
    stdout: led(running.then(({ stdout }) => stdout)),
    stderr: led(running.then(({ stderr }) => stderr)),
    done: running.then(({ done }) => done),
    kill: () => void running.then((each) => each.kill()).catch(() => {}),
  };
}

function led(from: Promise<ReadableStream<string>>): ReadableStream<string> {
  const reader = from.then((stream) => stream.getReader());
  reader.catch(() => {});
  return new ReadableStream<string>({
    async pull(control) {
      const { done, value } = await (await reader).read();
      if (done) control.close();
      else control.enqueue(value);
    },
    cancel: async (why) => (await reader).cancel(why),
  });
}

function bytes(given: Typed): Uint8Array {
  if (typeof given === "string") return new TextEncoder().encode(given);
  if (given instanceof Uint8Array || given instanceof ArrayBuffer) return new Uint8Array(given);
  throw new Refusal("invalid-argument", "Standard input is a string, a Uint8Array or an ArrayBuffer.");
}

async function text(stream: ReadableStream<string>): Promise<string> {
  const reader = stream.getReader();
  let all = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return all;
    all += value;
  }
}
