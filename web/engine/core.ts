/**
 * The core on its way to a worker: fetched and compiled by the page, which is there first.
 *
 * It comes in two modules. The first has what a first visit runs; the rest follows behind the first picture.
 */

/** What the page sends a worker before and besides calls. */
export type Delivery = { module: WebAssembly.Module } | { rest: WebAssembly.Module } | { failed: string };

export const NO_CORE = "this build has no web/wasm: run cargo xtask play";

/** Globs, so that the page's own checks need no build of the core. */
const firsts = import.meta.glob<string>("../wasm/brooklet_wasm_bg.wasm", {
  query: "?url",
  import: "default",
  eager: true,
});
const rests = import.meta.glob<string>("../wasm/brooklet_wasm_rest.wasm", {
  query: "?url",
  import: "default",
  eager: true,
});

/** Where the rest of the core is; undefined in a build that has it in one piece. */
export const restUrl = (): string | undefined => Object.values(rests)[0];

/** Compiles what is at `url` once for all the workers that will ever be started; a failure is tried again. */
function once(url: () => string | undefined): () => Promise<WebAssembly.Module> {
  let compiling: Promise<WebAssembly.Module> | undefined;
  return () => {
    compiling ??= compile(url()).catch((why: unknown) => {
      compiling = undefined;
      throw why;
    });
    return compiling;
  };
}

async function compile(url: string | undefined): Promise<WebAssembly.Module> {
  if (url === undefined) throw new Error(NO_CORE);
  // A host that serves the file under another type gets it compiled all the same.
  return WebAssembly.compileStreaming(fetch(url)).catch(async () =>
    WebAssembly.compile(await (await fetch(url)).arrayBuffer()),
  );
}

const first = once(() => Object.values(firsts)[0]);
const rest = once(restUrl);

/** Sends a worker its core: the first module at once, the rest when `wanted`, or with the first if that is `now`. */
export async function deliver(worker: Worker, wanted: Promise<unknown> | "now") {
  const send = (delivery: Delivery) => worker.postMessage(delivery);
  // What cannot be loaded now the worker asks for itself when it needs it, and says so if it fails.
  const second = () => (restUrl() === undefined ? undefined : rest().catch(() => undefined));
  const early = wanted === "now" ? second() : undefined;
  try {
    send({ module: await first() });
  } catch (why) {
    return send({ failed: why instanceof Error ? why.message : String(why) });
  }
  if (wanted !== "now") await wanted;
  const module = await (early ?? second());
  if (module) send({ rest: module });
}
