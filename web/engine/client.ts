/** The page's end of the wire: promises over messages, and a worker that is replaced when it fails. */

import type { Call, Engine, FromWorker, Method, Push, Reply } from "./rpc";
import { Refusal } from "./rpc";

/** What a client needs of a worker; a Worker is one. */
export interface Port {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror?: ((event: ErrorEvent) => void) | null;
  terminate?(): void;
}

export type Client = Engine & { onPush(listen: (push: Push) => void): () => void };

const METHODS: Record<Method, true> = {
  open: true,
  startOver: true,
  status: true,
  scenario: true,
  command: true,
  undo: true,
  redo: true,
  time: true,
  watch: true,
  snapshot: true,
  records: true,
  inspect: true,
  spawn: true,
  stdin: true,
  eof: true,
  hold: true,
  signal: true,
  connect: true,
  workspaces: true,
  renameWorkspace: true,
  deleteWorkspace: true,
  undeleteWorkspace: true,
};

/** At most this many restarts in a row without an answer in between; then it stays down and says so. */
const RESTARTS_MAX = 3;

interface Waiting {
  method: Method;
  resolve(value: unknown): void;
  reject(why: Refusal): void;
}

export function connectEngine(start: () => Port): Client {
  const waiting = new Map<number, Waiting>();
  /** Terminals that have not ended. */
  const running = new Set<number>();
  const listeners = new Set<(push: Push) => void>();
  const memory: { open: Call | null; watch: Call | null } = { open: null, watch: null };
  let port = startPort();
  let nextId = 1;
  let restarts = 0;

  function startPort(): Port {
    const fresh = start();
    fresh.onmessage = (event) => {
      if ("reply" in event.data) settle(event.data);
      else if (event.data.push === "turn") fresh.postMessage({ seen: event.data.turn });
      else tell(event.data);
    };
    fresh.onerror = (event) => restart(event.message || "worker failed");
    return fresh;
  }

  function tell(push: Push) {
    if (push.push === "exit") running.delete(push.id);
    for (const listen of listeners) listen(push);
  }

  function settle(reply: Reply) {
    const call = waiting.get(reply.reply);
    waiting.delete(reply.reply);
    if (!call) return;
    if (reply.ok) {
      restarts = 0;
      if (call.method === "spawn") running.add(reply.value as number);
      call.resolve(reply.value);
    } else if (reply.code === "trap") {
      call.reject(new Refusal(reply.code, reply.message, reply.params));
      restart(reply.message);
    } else call.reject(new Refusal(reply.code, reply.message, reply.params));
  }

  function restart(why: string) {
    port.onmessage = null;
    port.onerror = null;
    port.terminate?.();
    for (const call of waiting.values()) call.reject(new Refusal("restarted", why));
    waiting.clear();
    const down = ++restarts > RESTARTS_MAX;
    for (const id of running) tell({ push: "exit", id, code: 1, why: "restarted" });
    tell({ push: "notice", notice: { code: down ? "down" : "restarted", params: { why } } });
    if (down) return;
    port = startPort();
    for (const again of [memory.open, memory.watch]) {
      if (again) void call(again.method, again.args as never).catch(() => {});
    }
  }

  function call(method: Method, args: unknown[]): Promise<unknown> {
    const message = { id: nextId++, method, args } as Call;
    // A restarted worker opens what was open and recovers.
    if (method === "open") memory.open = message;
    if (method === "watch") memory.watch = message;
    return new Promise((resolve, reject) => {
      waiting.set(message.id, { method, resolve, reject });
      try {
        port.postMessage(message);
      } catch (why) {
        waiting.delete(message.id);
        // A function or a window, say: what cannot cross is nothing that a call takes.
        reject(new Refusal("invalid-argument", String(why)));
      }
    });
  }

  const client: Record<string, unknown> = {
    onPush(listen: (push: Push) => void) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
  };
  for (const method of Object.keys(METHODS) as Method[]) {
    client[method] = (...args: unknown[]) => call(method, args);
  }
  return client as unknown as Client;
}
