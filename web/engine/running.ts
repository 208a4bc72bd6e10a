/** A command that a script started: its output as streams, held back while nobody reads it. */

import type { Client } from "./client";

/** Bytes that the worker takes at once. */
const TYPED_MAX = 1 << 20;

export function spawn(client: Client, line: string) {
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
    stdin: new WritableStream<Uint8Array>({
      async write(whole) {
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
