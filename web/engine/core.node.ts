/**
 * The core in Node, for tests: the same WebAssembly, bindings and client as in the page, without a worker
 * between them. Node has no IndexedDB, so that a world lives in memory and says so by the notice `memory`.
 *
 * `cargo xtask test --only unit` builds the core; whoever calls vitest by hand builds it before.
 */

import { readFileSync } from "node:fs";
import { type Client, connectEngine, type Port } from "./client";
import type { FrameView } from "./frame";
import { readFrame } from "./frame";
import type { Call, FromWorker, Notice, Push, Seen, Snapshot, WorldEvent } from "./rpc";

interface HostModule {
  initSync(options: { module: WebAssembly.Module }): WebAssembly.Exports;
  Host: new (post: (message: FromWorker) => void) => { call(call: Call): void; saw(turn: number): void };
}

const wasm = (name: string) => readFileSync(new URL(`../wasm/${name}`, import.meta.url));
let loading: Promise<HostModule> | undefined;

/** Both halves of the core, once for all the worlds of a test file. */
function load(): Promise<HostModule> {
  loading ??= (async () => {
    const bindings = "../wasm/brooklet_wasm.js";
    const code = (await import(/* @vite-ignore */ bindings)) as HostModule;
    const first = code.initSync({ module: new WebAssembly.Module(wasm("brooklet_wasm_bg.wasm")) });
    new WebAssembly.Instance(new WebAssembly.Module(wasm("brooklet_wasm_rest.wasm")), {
      first: first as WebAssembly.ModuleImports,
    });
    return code;
  })();
  return loading;
}

/** A core in a port's place: what is posted crosses as structured clones do. */
export async function corePort(): Promise<Port> {
  const { Host } = await load();
  const port: Port = {
    onmessage: null,
    postMessage(message) {
      const data = structuredClone(message) as Call | Seen;
      if ("seen" in data) host.saw(data.seen);
      else host.call(data);
    },
  };
  const host = new Host((message) => port.onmessage?.({ data: message } as MessageEvent<FromWorker>));
  return port;
}

export interface NodeCore {
  client: Client;
  /** All that was pushed, the newest last. */
  seen: {
    snapshots: Snapshot[];
    frames: FrameView[];
    notices: Notice[];
    events: WorldEvent[];
    pushes: Push[];
  };
  /** Settles with the first snapshot, now or later, of which this is true. */
  until(wanted: (snapshot: Snapshot) => boolean): Promise<Snapshot>;
  /** Lets this much world time pass, at this speed, and stops. */
  run(millis: number, speed?: number): Promise<Snapshot>;
}

export async function nodeCore(): Promise<NodeCore> {
  const port = await corePort();
  const client = connectEngine(() => port);
  const seen: NodeCore["seen"] = { snapshots: [], frames: [], notices: [], events: [], pushes: [] };
  const waiting = new Set<(snapshot: Snapshot) => void>();
  client.onPush((push) => {
    seen.pushes.push(push);
    if (push.push === "frame") seen.frames.push(readFrame(push.buffer));
    if (push.push === "notice") seen.notices.push(push.notice);
    if (push.push === "event") seen.events.push(push.event);
    if (push.push !== "snapshot") return;
    seen.snapshots.push(push.snapshot);
    for (const look of waiting) look(push.snapshot);
  });
  const until: NodeCore["until"] = async (wanted) => {
    const now = await client.snapshot();
    if (wanted(now)) return now;
    return new Promise((resolve) => {
      const look = (snapshot: Snapshot) => {
        if (!wanted(snapshot)) return;
        waiting.delete(look);
        resolve(snapshot);
      };
      waiting.add(look);
    });
  };
  const run: NodeCore["run"] = async (millis, speed = 20) => {
    const target = Number((await client.snapshot()).worldTime) + millis;
    await client.time({ op: "speed", x: speed });
    await client.time({ op: "resume" });
    await until(({ worldTime }) => Number(worldTime) >= target);
    await client.time({ op: "pause" });
    return client.snapshot();
  };
  return { client, seen, until, run };
}
