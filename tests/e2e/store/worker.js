// The worker of the store's tests: one workspace, driven by messages.
import init, * as wasm from "/wasm/brooklet_wasm.js";

const ready = init({ module_or_path: "/wasm/brooklet_wasm_bg.wasm" });
let test;

const methods = {
  open: async (workspace) => {
    test = await wasm.StoreTest.open(workspace);
    return test.generation();
  },
  acquire: async (workspace) => {
    const heard = (state, number) => postMessage({ state, number, at: Date.now() });
    test = await wasm.StoreTest.acquire(workspace, heard);
    return test.generation();
  },
  release: () => test.release(),
  append: (...args) => test.append(...args),
  truncate: (...args) => test.truncate(...args),
  commit: (strict = false) => test.commit(strict),
  verify: () => test.verify(),
  list: () => wasm.workspaces_list(),
  rename: (...args) => wasm.workspaces_rename(...args),
  recordUse: (...args) => wasm.workspaces_record_use(...args),
  remove: (id) => wasm.workspaces_delete(id),
  sweep: () => wasm.workspaces_sweep(),

  // Commits without end; each acknowledgement goes out once it is stored.
  async stream() {
    const ends = [0, 0, 0, 0];
    for (let turn = 0; ; turn++) {
      for (let log = 0; log < 4; log++) {
        const batches = 1 + ((turn * 7 + log * 3) % 9);
        test.append(`log-${log}`, batches, 500 + ((turn * 131) % 3_000));
        ends[log] += batches;
      }
      await test.commit(false);
      postMessage({ acknowledged: [...ends] });
    }
  },

  async bench(kind) {
    const [turns, logs, batches, size] = kind === "bulk" ? [100, 1, 16, 61_440] : [300, 4, 64, 1_024];
    const ours = await test.bench(turns, logs, batches, size);
    const raw = await rawPuts(turns, logs, batches, size);
    return { ours: summary(ours, logs * batches * size), raw: summary(raw, logs * batches * size) };
  },
};

// The same bytes in values of the same layout, put by hand.
async function rawPuts(turns, logs, batches, size) {
  const request = indexedDB.open("raw", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("log");
  const database = await new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
  });
  const times = [];
  const each = Math.floor(61_440 / size);
  for (let turn = 0; turn < turns; turn++) {
    const before = performance.now();
    const tx = database.transaction(["log"], "readwrite", { durability: "relaxed" });
    const done = new Promise((resolve, reject) => {
      tx.oncomplete = resolve;
      tx.onabort = () => reject(tx.error);
    });
    const store = tx.objectStore("log");
    for (let log = 0; log < logs; log++) {
      for (let first = 0; first < batches; first += each) {
        const value = new Uint8Array(Math.min(each, batches - first) * size).fill(turn);
        store.put(value, [`raw-${log}`, turn * batches + first]);
      }
    }
    tx.commit();
    await done;
    times.push(performance.now() - before);
  }
  database.close();
  indexedDB.deleteDatabase("raw");
  return times;
}

function summary(times, bytes) {
  const sorted = [...times].sort((a, b) => a - b);
  const total = times.reduce((sum, time) => sum + time, 0);
  const at = (share) => Number(sorted[Math.floor(sorted.length * share)].toFixed(2));
  const megabytesPerSecond = Number(((bytes * times.length) / total / 1_000).toFixed(1));
  return { megabytesPerSecond, p50: at(0.5), p99: at(0.99) };
}

self.onmessage = async ({ data: { id, method, args } }) => {
  try {
    await ready;
    postMessage({ id, value: await methods[method](...args) });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? { code: "bug", detail: error.stack } : error });
  }
};
