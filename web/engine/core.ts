/** The core on its way to a worker: fetched and compiled by the page, which is there first. */

/** The first message to a worker. */
export type Start = { module: WebAssembly.Module } | { failed: string };

export const NO_CORE = "this build has no web/wasm: run cargo xtask play";

/** A glob, so that the page's own checks need no build of the core. */
const binaries = import.meta.glob<string>("../wasm/brooklet_wasm_bg.wasm", {
  query: "?url",
  import: "default",
  eager: true,
});

let compiling: Promise<Start> | undefined;

/** Compiles the core once for all the workers that will ever be started; a failure is tried again. */
export function compileCore(): Promise<Start> {
  compiling ??= compile().catch((why: unknown) => {
    compiling = undefined;
    return { failed: why instanceof Error ? why.message : String(why) };
  });
  return compiling;
}

async function compile(): Promise<Start> {
  const [url] = Object.values(binaries);
  if (url === undefined) throw new Error(NO_CORE);
  // A host that serves the file under another type gets it compiled all the same.
  const module = await WebAssembly.compileStreaming(fetch(url)).catch(async () =>
    WebAssembly.compile(await (await fetch(url)).arrayBuffer()),
  );
  return { module };
}
