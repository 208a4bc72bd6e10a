/**
 * The worker: starts the wasm module and hands messages through. It decides nothing.
 *
 * The page compiles the module while this worker is still being loaded, and sends it as the first message;
 * the second half of the core follows. What calls into that half before it is there waits for it.
 * `web/wasm/` is built by `cargo xtask`; its bindings export `init` (default) and
 *
 *   class Host {
 *     constructor(post: (message: FromWorker, transfer: Transferable[]) => void)
 *     call(call: Call): void        // answers by posting a Reply
 *     saw(turn: number): void       // the page has taken everything up to this turn
 *   }
 *
 * The host schedules its own turns. Whatever it throws is a trap: the page discards this worker.
 */

import { type Delivery, NO_CORE, restUrl } from "./core";
import type { Call, FromWorker, Seen } from "./rpc";

type Init = (options: { module_or_path: WebAssembly.Module }) => Promise<WebAssembly.ModuleImports>;
type Host = new (
  post: (message: FromWorker, transfer: Transferable[]) => void,
) => { call(call: Call): void; saw(turn: number): void };

/** Globs, so that the page's own checks need no build of the core; of what is named, so that the rest is left out. */
const [init] = Object.values(
  import.meta.glob<Init>("../wasm/brooklet_wasm.js", { eager: true, import: "default" }),
);
const [Core] = Object.values(
  import.meta.glob<Host>("../wasm/brooklet_wasm.js", { eager: true, import: "Host" }),
);

const scope = globalThis as unknown as {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  /** The running core: for a debugger, and for whoever measures it. */
  core: WebAssembly.ModuleImports | undefined;
  name: string;
  /** Called by the core when it needs its second half at once. */
  fetchRest(): void;
  onmessage: ((event: MessageEvent<Call | Seen | Delivery>) => void) | null;
};
const post = (message: FromWorker, transfer: Transferable[] = []) => scope.postMessage(message, transfer);

let start: (module: WebAssembly.Module) => void = () => {};
let fail: (why: Error) => void = () => {};
const compiled = new Promise<WebAssembly.Module>((resolve, reject) => {
  [start, fail] = [resolve, reject];
});
const host = load();
// Whoever calls is told; until then nobody is.
host.catch(() => {});

/** The lock of this worker's name is held for as long as it lives: who waits for it learns that it is gone. */
const held = new Promise<void>((resolve) => {
  const locks = navigator.locks;
  if (!locks) return resolve();
  void locks.request(scope.name, () => {
    resolve();
    return new Promise(() => {});
  });
});

async function load() {
  const module = await compiled;
  await held;
  if (!init || !Core) throw new Error(NO_CORE);
  scope.core = await init({ module_or_path: module });
  return new Core(post);
}

let complete = false;

/** The second half works in the first one's memory, and fills the slots that the first one calls through. */
function install(rest: WebAssembly.Module) {
  if (complete || !scope.core) return;
  new WebAssembly.Instance(rest, { first: scope.core });
  complete = true;
}

scope.fetchRest = () => {
  const url = restUrl();
  if (url === undefined) throw new Error(NO_CORE);
  const request = new XMLHttpRequest();
  request.open("GET", url, false);
  request.responseType = "arraybuffer";
  try {
    request.send();
  } catch {
    // Its status says that there is no answer.
  }
  if (request.status !== 200)
    throw new Error(
      `the rest of the core could not be loaded (HTTP ${request.status}); check the connection`,
    );
  install(new WebAssembly.Module(request.response as ArrayBuffer));
};

scope.onmessage = async ({ data }) => {
  if ("failed" in data) return fail(new Error(data.failed));
  if ("module" in data) return start(data.module);
  if ("seen" in data) return void host.then((core) => core.saw(data.seen)).catch(() => {});
  if ("rest" in data) return void host.then(() => install(data.rest)).catch(() => {});
  try {
    (await host).call(data);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    post({ reply: data.id, ok: false, code: "trap", message, params: {} });
  }
};
