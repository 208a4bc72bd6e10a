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

/** Bytes that the worker takes at once. */
const TYPED_MAX = 1 << 20;

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

function spawn(client: Client, line: string): Running {
  const hold = (held: boolean) => void id.then((given) => client.hold(given, held)).catch(() => {});
  const out = source(hold);
  const err = source(hold);
  let finish: (code: number) => void = () => {};
  let fail: (why: unknown) => void = () => {};
  const done = new Promise<number>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Output can come before the answer that names the command, so all of it is kept until the id is known.
  let mine: number | null = null;
  let early: { id: number; act(): void }[] = [];
  const stop = client.onPush((push) => {
    if (push.push !== "stdout" && push.push !== "stderr" && push.push !== "exit") return;
    const act = () => {
      if (push.push === "stdout") out.push(push.text);
      else if (push.push === "stderr") err.push(push.text);
      else {
        stop();
        out.end();
        err.end();
        finish(push.code);
      }
    };
    if (mine === null) early.push({ id: push.id, act });
    else if (push.id === mine) act();
  });
  const id = client.spawn(line).then((given) => {
    mine = given;
    for (const kept of early) if (kept.id === given) kept.act();
    early = [];
    return given;
  });
  id.catch((why) => {
    stop();
    out.end();
    err.end();
    fail(why);
  });
  return {
    stdin: new WritableStream<Typed>({
      async write(chunk) {
        const whole = bytes(chunk);
        for (let at = 0; at < whole.length; at += TYPED_MAX)
          await client.stdin(await id, whole.slice(at, at + TYPED_MAX));
      },
      close: async () => client.eof(await id),
      abort: async () => client.signal(await id),
    }),
    stdout: out.stream,
    stderr: err.stream,
    done,
    kill: () => void id.then((given) => client.signal(given)).catch(() => {}),
  };
}

function bytes(given: Typed): Uint8Array {
  if (typeof given === "string") return new TextEncoder().encode(given);
  if (given instanceof Uint8Array || given instanceof ArrayBuffer) return new Uint8Array(given);
  throw new Refusal("invalid-argument", "Standard input is a string, a Uint8Array or an ArrayBuffer.");
}

/** Characters of output that may lie unread before the command is held back. */
const UNREAD_MAX = 1 << 20;

/** A stream of text; `hold` is told when too much of it lies unread, and when it has been read. */
function source(hold: (held: boolean) => void) {
  let control: ReadableStreamDefaultController<string> | null = null;
  let open = true;
  let held = false;
  const tell = (now: boolean) => {
    if (now !== held) hold(now);
    held = now;
  };
  const stream = new ReadableStream<string>(
    {
      start(given) {
        control = given;
      },
      pull: () => tell(false),
      cancel() {
        open = false;
        tell(false);
      },
    },
    { highWaterMark: UNREAD_MAX, size: (chunk) => chunk.length },
  );
  return {
    stream,
    push(chunk: string) {
      if (!open) return;
      control?.enqueue(chunk);
      if ((control?.desiredSize ?? 1) <= 0) tell(true);
    },
    end() {
      if (open) control?.close();
      open = false;
    },
  };
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
