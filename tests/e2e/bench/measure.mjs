// What runs inside the browser: one function, so that it can be sent there whole.

/** Runs one measurement by name; gives `{name, value, unit, note}` for each figure. */
export async function measure({ name, worker: workerUrl, first, rest }) {
  const SECONDS = 8;
  const RECORD = 1024;
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const median = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];
  const at = (all, part) => [...all].sort((a, b) => a - b)[Math.floor((all.length - 1) * part)];
  const round = (number, digits = 0) => Number(number.toFixed(digits));

  const compiled = (url) => WebAssembly.compileStreaming(fetch(url));
  const halves = [{ module: await compiled(first) }, { rest: await compiled(rest) }];
  const engine = start();
  const measurements = { producers, bulk, lone };
  const figures = await measurements[name]();
  engine.worker.terminate();
  return figures;

  /** The worker, driven as the page's client drives it. */
  function start() {
    const worker = new Worker(workerUrl, { type: "module" });
    const waiting = new Map();
    const pushes = {};
    let next = 0;
    worker.onmessage = ({ data }) => {
      if ("push" in data) return pushes[data.push]?.(data);
      const { resolve, reject } = waiting.get(data.reply);
      waiting.delete(data.reply);
      if (data.ok) resolve(data.value);
      else reject(new Error(`${data.code}: ${data.message}`));
    };
    for (const half of halves) worker.postMessage(half);
    const call = (method, ...args) =>
      new Promise((resolve, reject) => {
        const id = next++;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, method, args });
      });
    return { worker, call, pushes };
  }

  function scenario(partitions, producers) {
    const producer = (number) => ({
      name: `p${number}`,
      topic: "bench",
      rate: 400,
      valueTemplate: "{n}",
      valueSize: RECORD,
      key: { mode: "none" },
      partitioner: { by: "roundRobin" },
      acks: "all",
      idempotent: true,
      batchSize: 1,
      lingerMs: 0,
      compression: "none",
      paused: false,
    });
    return {
      version: 1,
      seed: "1",
      brokers: 1,
      topics: [{ name: "bench", partitions, config: {} }],
      producers: Array.from({ length: producers }, (_, number) => producer(number)),
      groups: [],
    };
  }

  /** Watches the lanes as a stage of this size does. */
  function watch(partitions) {
    const lane = (_, partition) => ({ topic: "bench", partition, cells: 60, until: null, decade: 2 });
    return engine.call("watch", { lanes: Array.from({ length: partitions }, lane), times: false });
  }

  /** Simulated producers, one record a batch; only what is stored is told, so what is told is acknowledged. */
  async function producers() {
    const partitions = 4;
    let sent = 0;
    let frames = 0;
    engine.pushes.snapshot = ({ snapshot }) => {
      sent = snapshot.producers.reduce((all, producer) => all + Number(producer.sent), 0);
    };
    engine.pushes.frame = () => frames++;
    await engine.call("open", "bench-producers", scenario(partitions, 256), true);
    await watch(partitions);
    while (sent < 50_000) await sleep(50);
    const [before, shown, began] = [sent, frames, performance.now()];
    await sleep(SECONDS * 1000);
    const elapsed = (performance.now() - began) / 1000;
    const memory = await memoryOf();
    return [
      {
        name: "256 producers of single 1 KiB records",
        value: round((sent - before) / elapsed),
        unit: "acknowledged/s",
        note: `${round((frames - shown) / elapsed)} frames/s, ${memory}`,
      },
    ];
  }

  /** Produce requests of 1 MiB batches over connections of their own, beside puts of as many bytes. */
  async function bulk() {
    const [partitions, total] = [4, 192 << 20];
    await engine.call("open", "bench-bulk", scenario(partitions, 0), true);
    await watch(partitions);
    await topicIsThere("bench");
    const batch = recordBatch(960, RECORD);
    const clients = [];
    for (let partition = 0; partition < partitions; partition++) {
      const client = connection(await engine.call("connect", 1));
      clients.push({ client, frame: produceRequest("bench", partition, batch) });
    }
    const rounds = Math.ceil(total / batch.length / partitions);
    const produce = async (rounds) => {
      const began = performance.now();
      const each = clients.map(async ({ client, frame }) => {
        const asked = [];
        for (let round = 0; round < rounds; round++) {
          asked.push(client.ask(frame));
          if (asked.length === 5) acknowledged(await asked.shift());
        }
        for (const answer of asked) acknowledged(await answer);
      });
      await Promise.all(each);
      return (rounds * partitions * batch.length) / 1e6 / ((performance.now() - began) / 1000);
    };
    const raw = [];
    const produced = [];
    for (let run = 0; run < 3; run++) {
      raw.push(await rawPuts(total / 3, run));
      produced.push(await produce(Math.ceil(rounds / 3)));
    }
    const [limit, rate] = [median(raw), median(produced)];
    return [
      {
        name: "bulk produce",
        value: round(rate, 1),
        unit: "MB/s",
        note: produced.map((x) => round(x)).join(" "),
      },
      {
        name: "raw puts of as many bytes",
        value: round(limit, 1),
        unit: "MB/s",
        note: raw.map((x) => round(x)).join(" "),
      },
      {
        name: "bulk produce beside raw puts",
        value: round(rate / limit, 2),
        unit: "",
        note: await memoryOf(),
      },
    ];
  }

  /** One client, one record at a time. */
  async function lone() {
    await engine.call("open", "bench-lone", scenario(1, 0), true);
    await watch(1);
    await topicIsThere("bench");
    const client = connection(await engine.call("connect", 1));
    const frame = produceRequest("bench", 0, recordBatch(1, RECORD));
    for (let warm = 0; warm < 200; warm++) acknowledged(await client.ask(frame));
    const all = [];
    for (let round = 0; round < 1_000; round++) {
      const began = performance.now();
      acknowledged(await client.ask(frame));
      all.push(performance.now() - began);
    }
    return [
      {
        name: "a lone producer is acknowledged after",
        value: round(median(all), 2),
        unit: "ms (median)",
        note: `p90 ${round(at(all, 0.9), 2)}, p99 ${round(at(all, 0.99), 2)}; one commit of the same size ${round(await commitTime(), 2)}`,
      },
    ];
  }

  async function topicIsThere(topic) {
    for (;;) {
      const { topics } = await engine.call("snapshot");
      if (topics.some((each) => each.name === topic)) return;
      await sleep(20);
    }
  }

  /** Kafka frames with their lengths over a port, answered in order. */
  function connection(port) {
    const waiting = [];
    port.onmessage = ({ data }) => waiting.shift()(new DataView(data));
    port.start?.();
    return {
      ask: (frame) =>
        new Promise((resolve) => {
          waiting.push(resolve);
          const copy = frame.slice().buffer;
          port.postMessage(copy, [copy]);
        }),
    };
  }

  /** The error code of a Produce response of one partition (version 3). */
  function acknowledged(view) {
    const name = view.getInt16(12);
    const code = view.getInt16(14 + name + 8);
    if (code !== 0) throw new Error(`the batch was refused with error ${code}`);
  }

  function produceRequest(topic, partition, batch) {
    const bytes = new TextEncoder().encode(topic);
    const size = 8 + 2 + 2 + 2 + 4 + 4 + 2 + bytes.length + 4 + 4 + 4 + batch.length;
    const frame = new Uint8Array(4 + size);
    const view = new DataView(frame.buffer);
    let at = 0;
    const i16 = (value) => {
      view.setInt16(at, value);
      at += 2;
    };
    const i32 = (value) => {
      view.setInt32(at, value);
      at += 4;
    };
    i32(size);
    i16(0); // Produce
    i16(3); // version
    i32(7); // correlation id
    i16(-1); // no client id
    i16(-1); // no transaction
    i16(-1); // acks=all
    i32(30_000);
    i32(1);
    i16(bytes.length);
    frame.set(bytes, at);
    at += bytes.length;
    i32(1);
    i32(partition);
    i32(batch.length);
    frame.set(batch, at);
    return frame;
  }

  /** A record batch of version 2 without a producer id. */
  function recordBatch(count, valueSize) {
    const varint = (value, into) => {
      let rest = value >= 0 ? value * 2 : -value * 2 - 1;
      while (rest > 127) {
        into.push((rest & 127) | 128);
        rest = Math.floor(rest / 128);
      }
      into.push(rest);
    };
    const parts = [];
    for (let offset = 0; offset < count; offset++) {
      const head = [0];
      varint(0, head);
      varint(offset, head);
      varint(-1, head);
      varint(valueSize, head);
      const length = [];
      varint(head.length + valueSize + 1, length);
      const value = new Uint8Array(valueSize);
      crypto.getRandomValues(value);
      parts.push(Uint8Array.from(length), Uint8Array.from(head), value, Uint8Array.of(0));
    }
    const size = parts.reduce((all, part) => all + part.length, 0);
    const batch = new Uint8Array(61 + size);
    const view = new DataView(batch.buffer);
    const now = BigInt(Date.UTC(2026, 0, 1));
    view.setInt32(8, 49 + size);
    view.setInt8(16, 2);
    view.setInt32(23, count - 1);
    view.setBigInt64(27, now);
    view.setBigInt64(35, now);
    view.setBigInt64(43, -1n);
    view.setInt16(51, -1);
    view.setInt32(53, -1);
    view.setInt32(57, count);
    let at = 61;
    for (const part of parts) {
      batch.set(part, at);
      at += part.length;
    }
    view.setUint32(17, crc32c(batch.subarray(21)));
    return batch;
  }

  function crc32c(bytes) {
    const table = Uint32Array.from({ length: 256 }, (_, byte) => {
      for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0x82f63b78 : byte >>> 1;
      return byte;
    });
    let crc = ~0;
    for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
    return ~crc >>> 0;
  }

  /** Runs `work(database)` in a worker of its own, as the engine does. */
  async function inWorker(work, argument) {
    const source = `onmessage = async ({ data }) => {
      const opened = indexedDB.open(data.database, 1);
      opened.onupgradeneeded = () => { opened.result.createObjectStore("log"); opened.result.createObjectStore("meta"); };
      await new Promise((done) => { opened.onsuccess = done; });
      postMessage(await (${work})(opened.result, data));
      opened.result.close();
    };`;
    const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(blob);
    const answer = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (error) => reject(new Error(error.message));
    });
    worker.postMessage(argument);
    const value = await answer;
    worker.terminate();
    return value;
  }

  /** MB/s of values of 60 KB, a megabyte a transaction, relaxed: what the engine's layout writes. */
  function rawPuts(bytes, run) {
    const work = async (database, { bytes, value }) => {
      const source = new Uint8Array(8 << 20);
      for (let at = 0; at < source.length; at += 65_536)
        crypto.getRandomValues(source.subarray(at, at + 65_536));
      const began = performance.now();
      let offset = 0;
      for (let done = 0; done < bytes; ) {
        const tx = database.transaction(["log", "meta"], "readwrite", { durability: "relaxed" });
        const log = tx.objectStore("log");
        for (let puts = 0; puts < 17 && done < bytes; puts++) {
          const from = (offset * 997) % (source.length - value);
          log.put(source.slice(from, from + value), ["1/AAAAAAAAAAAAAAAAAAAAAA/0", offset]);
          offset += 60;
          done += value;
        }
        tx.objectStore("meta").put(new TextEncoder().encode("row"), "clock");
        tx.commit();
        await new Promise((resolve, reject) => {
          tx.oncomplete = resolve;
          tx.onabort = () => reject(tx.error);
        });
      }
      return bytes / 1e6 / ((performance.now() - began) / 1000);
    };
    return inWorker(work, { database: `raw-${run}`, bytes, value: 61_440 });
  }

  /** Milliseconds of a transaction with one small value and two rows (median). */
  function commitTime() {
    const work = async (database) => {
      const all = [];
      for (let offset = 0; offset < 500; offset++) {
        const began = performance.now();
        const tx = database.transaction(["log", "meta"], "readwrite", { durability: "relaxed" });
        tx.objectStore("meta").get("generation");
        tx.objectStore("log").put(new Uint8Array(8_000), ["1/AAAAAAAAAAAAAAAAAAAAAA/0", offset >> 4]);
        tx.objectStore("meta").put(new TextEncoder().encode("row".repeat(30)), "replica");
        tx.objectStore("meta").put(new TextEncoder().encode("row"), "clock");
        tx.commit();
        await new Promise((resolve) => {
          tx.oncomplete = resolve;
        });
        all.push(performance.now() - began);
      }
      return all.sort((a, b) => a - b)[all.length >> 1];
    };
    return inWorker(work, { database: "raw-lone" });
  }

  async function memoryOf() {
    const { bytes } = await navigator.storage.estimate().then(({ usage }) => ({ bytes: usage }));
    return `${round(bytes / 1e6)} MB stored`;
  }
}
