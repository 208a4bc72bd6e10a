import { expect, test } from "vitest";
import { connectEngine, type Port } from "./client";
import type { Call, FromWorker, Push } from "./rpc";

/** A worker made of a function; `calls` is what reached it. */
function worker(answer: (call: Call, post: (message: FromWorker) => void) => void) {
  const calls: Call[] = [];
  let ended = false;
  const port: Port & { calls: Call[]; ended(): boolean } = {
    calls,
    ended: () => ended,
    onmessage: null,
    postMessage(message) {
      calls.push(message as Call);
      answer(message as Call, (data) => port.onmessage?.({ data } as MessageEvent<FromWorker>));
    },
    terminate() {
      ended = true;
    },
  };
  return port;
}

const yes = (call: Call, post: (message: FromWorker) => void) =>
  post({ reply: call.id, ok: true, value: call.method });

test("a call resolves with the reply of its id", async () => {
  const client = connectEngine(() => worker(yes));
  expect(await client.snapshot()).toBe("snapshot");
});

test("a refusal rejects with its code and params", async () => {
  const client = connectEngine(() =>
    worker((call, post) =>
      post({ reply: call.id, ok: false, code: "NON_EMPTY_GROUP", message: "no", params: { group: "g" } }),
    ),
  );
  await expect(client.undo()).rejects.toMatchObject({ code: "NON_EMPTY_GROUP", params: { group: "g" } });
});

test("after a trap a new worker opens the same workspace", async () => {
  const ports: ReturnType<typeof worker>[] = [];
  const client = connectEngine(() => {
    const first = ports.length === 0;
    ports.push(
      worker((call, post) =>
        first && call.method === "undo"
          ? post({ reply: call.id, ok: false, code: "trap", message: "unreachable", params: {} })
          : yes(call, post),
      ),
    );
    return ports.at(-1) as Port;
  });
  const notices: Push[] = [];
  client.onPush((push) => notices.push(push));
  await client.open("sandbox", null);
  await client.watch({ lanes: [], times: false });
  await expect(client.undo()).rejects.toMatchObject({ code: "trap" });
  expect(ports[0]?.ended()).toBe(true);
  expect(ports[1]?.calls.map((c) => c.method)).toEqual(["open", "watch"]);
  expect(notices).toMatchObject([{ push: "notice", notice: { code: "restarted" } }]);
});

test("a worker that always fails is given up, in words", async () => {
  let started = 0;
  const client = connectEngine(() => {
    started++;
    return worker((call, post) =>
      post({ reply: call.id, ok: false, code: "trap", message: "no wasm", params: {} }),
    );
  });
  const codes: string[] = [];
  client.onPush((push) => {
    if (push.push === "notice") codes.push(push.notice.code);
  });
  await client.open("sandbox", null).catch(() => {});
  expect(started).toBe(4);
  expect(codes.at(-1)).toBe("down");
});

test("what ran in a worker that failed has ended, and says why", async () => {
  let lives = 0;
  const client = connectEngine(() => {
    const first = lives++ === 0;
    return worker((call, post) => {
      if (call.method === "spawn") {
        post({ reply: call.id, ok: true, value: Number(call.args[0]) });
        if (call.args[0] === "7") post({ push: "exit", id: 7, code: 0 });
      } else if (first && call.method === "undo") {
        post({ reply: call.id, ok: false, code: "trap", message: "unreachable", params: {} });
      } else yes(call, post);
    });
  });
  const exits: Push[] = [];
  client.onPush((push) => {
    if (push.push === "exit") exits.push(push);
  });
  for (const id of ["7", "8", "9"]) await client.spawn(id);
  await client.undo().catch(() => {});
  expect(exits).toEqual([
    { push: "exit", id: 7, code: 0 },
    { push: "exit", id: 8, code: 1, why: "restarted" },
    { push: "exit", id: 9, code: 1, why: "restarted" },
  ]);
});
