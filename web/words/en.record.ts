/** The words of an inspected record: loaded with the first. */

import { number } from "./en";

export const record = {
  gone: "This record is no longer in the log.",
  absent: "The log has no such record at the moment shown.",
  heading: (partition: number, offset: string) => `· P${partition} · offset ${offset}`,
  appended: (ago: string) => `appended ${ago} ago`,
  readBy: (group: string) => `read by ${group}`,
  waitingFor: (group: string) => `waiting for ${group}`,
  and: ", ",
  key: "key",
  noKey: "none",
  value: "value",
  nullValue: "null (a tombstone)",
  headers: "headers",
  timestamp: "timestamp",
  batch: "batch",
  batchText: (b: { base: string; last: string; codec: string; epoch: number }) =>
    `${b.base === b.last ? b.base : `${b.base}–${b.last}`}, ${b.codec === "none" ? "not compressed" : b.codec}, epoch ${b.epoch}`,
  producer: "producer",
  producerText: (id: string, epoch: number, seq: number) => `id ${id}, epoch ${epoch}, sequence ${seq}`,
  noProducerId: "not idempotent",
  whyPartition: "Why this partition",
  whyNoKey: "It has no key, so the producer chose.",
  whyOther: (p: number) => `The key alone would go to P${p}: the producer chose otherwise.`,
  bytes: "Bytes in the log",
  bytesHint: "Point at a byte to see the field it belongs to.",
  allBytes: (n: number) => `All ${number(n)} bytes of the batch`,
  fields: "Fields",
  part: { batch: "batch header", record: "this record", otherRecord: "another record" },
  bidi: "contains direction or control characters",
  truncated: (n: number) => `… ${number(n)} more characters`,
  previous: "Previous record",
  next: "Next record",
  close: "Close",
};
