/** What the toy broker shows: frames, snapshots, records, inspections. */

import { type FrameView, hueOf, type LaneView, writeFrame } from "../frame";
import { murmur2 } from "../murmur2";
import type { Actors, GroupState, Inspection, Layout, RecordView, Snapshot, Span, Watch } from "../rpc";
import { highWatermark, type Model, type Part, partAt } from "./model";

const encoder = new TextEncoder();

export function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
}

export function layoutOf(model: Model, id: number): Layout {
  const lanes = [...model.topics.values()].flatMap((topic) =>
    topic.parts.map((_, partition) => ({ topic: topic.spec.name, partition })),
  );
  const groups = [...model.groups.values()];
  return {
    id,
    lanes,
    groups: groups.map((g) => g.spec.groupId),
    producers: [...model.producers.keys()],
    members: groups.flatMap((g) => g.spec.members.map((m) => ({ groupId: g.spec.groupId, name: m.name }))),
  };
}

export function actorsOf(model: Model): Actors {
  return {
    topics: [...model.topics.values()].map((t) => t.spec),
    producers: [...model.producers.values()].map((p) => p.spec),
    groups: [...model.groups.values()].map((g) => g.spec),
  };
}

export function frameOf(
  model: Model,
  layout: Layout,
  watch: Watch,
  time: { running: boolean; past: boolean; speed: number },
): ArrayBuffer {
  const view: FrameView = {
    layout: layout.id,
    worldTime: model.t,
    journalLength: model.journal,
    decade: watch.decade,
    ...time,
    lanes: layout.lanes.map((lane) => laneOf(model, layout, lane, watch)),
    producers: layout.producers.map((name) => {
      const producer = model.producers.get(name);
      return {
        sent: producer?.sent ?? 0,
        rate: producer?.spec.paused ? 0 : (producer?.spec.rate ?? 0),
      };
    }),
  };
  return writeFrame(view);
}

function laneOf(
  model: Model,
  layout: Layout,
  lane: { topic: string; partition: number },
  watch: Watch,
): LaneView {
  const part = partAt(model, `${lane.topic}/${lane.partition}`) ?? { start: 0, end: 0, recs: [] };
  const wanted = watch.lanes.find((w) => w.topic === lane.topic && w.partition === lane.partition);
  const size = 10 ** watch.decade;
  const cellsMax = Math.min(wanted?.cells ?? 0, 400);
  const last = Math.floor(Math.min(wanted?.until ?? part.end, part.end) / size);
  const first = Math.max(0, last - cellsMax + 1);
  const cells = cellsMax === 0 ? 0 : Math.max(0, Math.ceil((part.end - first * size) / size));
  const shown = Math.min(cells, cellsMax);
  const view = { part, first: first * size, cells: shown, size };
  const produced = [...model.producers.values()].filter((p) => p.spec.topic === lane.topic && !p.spec.paused);
  const count = model.topics.get(lane.topic)?.parts.length ?? 1;
  return {
    logStart: part.start,
    highWatermark: highWatermark(model, part),
    logEnd: part.end,
    first: view.first,
    cells: shown,
    classes: watch.decade === 0 ? classesOf(view) : new Uint8Array(0),
    mix: watch.decade === 0 ? new Uint16Array(0) : mixOf(view),
    times: watch.times
      ? Float64Array.from({ length: shown }, (_, i) => part.recs[view.first + i * size]?.t ?? Number.NaN)
      : null,
    appendRate: produced.reduce((sum, p) => sum + p.spec.rate, 0) / count,
    fetchRate: 0,
    markers: layout.groups.flatMap((groupId, group) => {
      const state = model.groups.get(groupId);
      const place = state?.places.get(`${lane.topic}/${lane.partition}`);
      if (!state || !place) return [];
      const name = state.spec.members[place.owner]?.name;
      const member = layout.members.findIndex((m) => m.groupId === groupId && m.name === name) + 1;
      return [
        {
          group,
          member,
          position: place.owner < 0 ? -1 : place.position,
          committed: place.committed,
          rate: state.spec.rate,
        },
      ];
    }),
  };
}

interface Window {
  part: Part;
  first: number;
  cells: number;
  size: number;
}

function classesOf({ part, first, cells }: Window): Uint8Array {
  return Uint8Array.from({ length: cells }, (_, i) =>
    first + i < part.start ? 255 : (part.recs[first + i]?.class ?? 255),
  );
}

function mixOf({ part, first, cells, size }: Window): Uint16Array {
  const mix = new Uint16Array(cells * 8);
  for (let o = Math.max(first, part.start); o < Math.min(part.end, first + cells * size); o++) {
    const at = Math.floor((o - first) / size) * 8 + hueOf(part.recs[o]?.class ?? 0);
    mix[at] = (mix[at] ?? 0) + 1;
  }
  return mix;
}

export function snapshotOf(model: Model, running: boolean, speed: number): Snapshot {
  return {
    version: 1,
    worldTime: String(Math.round(model.t)),
    running,
    speed,
    journalLength: String(model.journal),
    brokers: [{ id: 1, state: "running", controller: true }],
    topics: [...model.topics.values()].map((topic) => ({
      name: topic.spec.name,
      topicId: topic.id,
      partitions: topic.parts.map((part, partition) => ({
        partition,
        leader: 1,
        leaderEpoch: 0,
        replicas: [1],
        isr: [1],
        logStartOffset: String(part.start),
        highWatermark: String(highWatermark(model, part)),
        logEndOffset: String(part.end),
        bytes: String((part.end - part.start) * 100),
      })),
    })),
    producers: [...model.producers.values()].map(({ spec, sent }) => ({
      id: spec.name,
      name: spec.name,
      topic: spec.topic,
      rate: spec.rate,
      acks: spec.acks,
      sent: String(sent),
    })),
    groups: [...model.groups.values()].map((group) => groupState(model, group.spec.groupId)),
  };
}

function groupState(model: Model, groupId: string): GroupState {
  const group = model.groups.get(groupId);
  if (!group) throw new Error(groupId);
  const places = [...group.places].map(([where, place]) => {
    const cut = where.lastIndexOf("/");
    const part = partAt(model, where);
    const lag = place.committed < 0 || !part ? null : String(highWatermark(model, part) - place.committed);
    return { topic: where.slice(0, cut), partition: Number(where.slice(cut + 1)), place, lag };
  });
  return {
    groupId,
    state: group.state,
    generation: group.generation,
    protocol: group.spec.assignor,
    members: group.spec.members.map((member, m) => ({
      memberId: `${member.name}-0000`,
      clientId: member.name,
      assignment: places
        .filter((p) => p.place.owner === m)
        .map(({ topic, partition }) => ({ topic, partition })),
    })),
    offsets: places.map(({ topic, partition, place, lag }) => ({
      topic,
      partition,
      committed: place.committed < 0 ? null : String(place.committed),
      position: place.owner < 0 ? null : String(place.position),
      lag,
    })),
  };
}

export function recordsOf(
  model: Model,
  topic: string,
  partition: number,
  from: number,
  max: number,
): RecordView[] {
  const part = partAt(model, `${topic}/${partition}`);
  const views: RecordView[] = [];
  if (!part) return views;
  for (let o = Math.max(from, part.start); o < part.end && views.length < max; o++) {
    const rec = part.recs[o];
    if (!rec) break;
    views.push({
      offset: String(o),
      timestamp: String(Math.round(rec.t)),
      key: rec.key === null ? null : base64(encoder.encode(rec.key)),
      value: base64(encoder.encode(rec.value)),
      headers: [{ key: "sent-by", value: base64(encoder.encode(rec.producer)) }],
    });
  }
  return views;
}

export function inspectionOf(
  model: Model,
  topic: string,
  partition: number,
  offset: number,
): Inspection | null {
  const record = recordsOf(model, topic, partition, offset, 1)[0];
  const rec = partAt(model, `${topic}/${partition}`)?.recs[offset];
  const count = model.topics.get(topic)?.parts.length ?? 1;
  if (!record || !rec || record.offset !== String(offset)) return null;
  const hash = rec.key === null ? 0 : murmur2(encoder.encode(rec.key));
  const { bytes, spans } = toyBatch(offset, rec.key, rec.value, rec.producer, Math.round(rec.t));
  return {
    record,
    batch: {
      baseOffset: String(offset),
      lastOffset: String(offset),
      records: 1,
      codec: "none",
      partitionLeaderEpoch: 0,
      producerId: "1000",
      producerEpoch: 0,
      baseSequence: offset,
      timestampType: "CreateTime",
      transactional: false,
      control: false,
      crc: 0,
    },
    bytes: bytes.buffer as ArrayBuffer,
    spans,
    partitioning:
      rec.key === null
        ? null
        : { hash, positive: hash & 0x7fffffff, partitions: count, partition: (hash & 0x7fffffff) % count },
  };
}

/** One record in the shape of a batch of version 2, with a CRC of zero. */
function toyBatch(offset: number, key: string | null, value: string, producer: string, t: number) {
  const out: number[] = [];
  const spans: Span[] = [];
  const put = (name: string, bytes: ArrayLike<number>, part: Span["part"], shown: string) => {
    spans.push({ name, start: out.length, end: out.length + bytes.length, part, value: shown });
    for (let i = 0; i < bytes.length; i++) out.push(bytes[i] ?? 0);
  };
  const int = (n: number, width: number) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigInt64(0, BigInt(Math.trunc(n)));
    return new Uint8Array(view.buffer).subarray(8 - width);
  };
  const varint = (n: number) => {
    const bytes: number[] = [];
    let z = n >= 0 ? n * 2 : -n * 2 - 1;
    while (z > 127) {
      bytes.push((z % 128) | 128);
      z = Math.floor(z / 128);
    }
    return [...bytes, z];
  };
  const [keyBytes, valueBytes] = [encoder.encode(key ?? ""), encoder.encode(value)];
  const [headerKey, headerValue] = [encoder.encode("sent-by"), encoder.encode(producer)];
  const keyLength = key === null ? varint(-1) : varint(keyBytes.length);
  const body = 3 + keyLength.length + keyBytes.length + varint(valueBytes.length).length + valueBytes.length;
  const length = body + 1 + 1 + headerKey.length + varint(headerValue.length).length + headerValue.length;
  const size = 49 + varint(length).length + length;
  put("baseOffset", int(offset, 8), "batch", String(offset));
  put("batchLength", int(size, 4), "batch", String(size));
  put("partitionLeaderEpoch", int(0, 4), "batch", "0");
  put("magic", [2], "batch", "2");
  put("crc", int(0, 4), "batch", "0x00000000");
  put("attributes", int(0, 2), "batch", "none, CreateTime");
  put("lastOffsetDelta", int(0, 4), "batch", "0");
  put("baseTimestamp", int(t, 8), "batch", String(t));
  put("maxTimestamp", int(t, 8), "batch", String(t));
  put("producerId", int(1000, 8), "batch", "1000");
  put("producerEpoch", int(0, 2), "batch", "0");
  put("baseSequence", int(offset, 4), "batch", String(offset));
  put("recordsCount", int(1, 4), "batch", "1");
  put("length", varint(length), "record", String(length));
  put("attributes", [0], "record", "0");
  put("timestampDelta", [0], "record", "0");
  put("offsetDelta", [0], "record", "0");
  put("keyLength", keyLength, "record", key === null ? "-1" : String(keyBytes.length));
  if (keyBytes.length > 0) put("key", keyBytes, "record", key ?? "");
  put("valueLength", varint(valueBytes.length), "record", String(valueBytes.length));
  put("value", valueBytes, "record", value);
  put("headersCount", varint(1), "record", "1");
  put("headerKeyLength", varint(headerKey.length), "record", String(headerKey.length));
  put("headerKey", headerKey, "record", "sent-by");
  put("headerValueLength", varint(headerValue.length), "record", String(headerValue.length));
  put("headerValue", headerValue, "record", producer);
  return { bytes: Uint8Array.from(out), spans };
}
