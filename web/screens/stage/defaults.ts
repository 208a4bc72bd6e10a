/** What a new producer, topic or group begins with, and names that are free. */

import type { GroupSpec, ProducerSpec, TopicSpec } from "../../engine/rpc";

export function freeName(wanted: string[], taken: string[]): string {
  const free = wanted.find((name) => !taken.includes(name));
  if (free) return free;
  let n = 2;
  while (taken.includes(`${wanted[0]}-${n}`)) n++;
  return `${wanted[0]}-${n}`;
}

export function newProducer(topic: string, taken: string[]): ProducerSpec {
  return {
    name: freeName(["checkout", "mobile", "kiosk", "partner"], taken),
    topic,
    rate: 1,
    valueTemplate: '{"order": {n}, "customer": "{key}", "total": {random}}',
    valueSize: 0,
    key: { mode: "cycle", keys: 6 },
    partitioner: { by: "key" },
    acks: "all",
    idempotent: true,
    batchSize: 16384,
    lingerMs: 5,
    compression: "none",
    paused: false,
  };
}

export function newTopic(taken: string[]): TopicSpec {
  return { name: freeName(["orders", "payments", "clicks", "shipments"], taken), partitions: 3, config: {} };
}

export function newGroup(topic: string, taken: string[]): GroupSpec {
  const groupId = freeName(["billing", "search", "audit", "reports"], taken);
  return {
    groupId,
    topics: [topic],
    assignor: "range",
    rate: 10,
    autoCommit: true,
    autoCommitIntervalMs: 5000,
    autoOffsetReset: "earliest",
    sessionTimeoutMs: 10000,
    members: [{ name: `${groupId}-1` }],
    paused: false,
  };
}
