/**
 * A toy of one broker, for working on the page and for its tests. It is not Kafka and is never shipped:
 * no frames, no batches, no storage. The world that people use is the wasm worker.
 */

import { murmur2 } from "../murmur2";
import {
  type Command,
  type GroupSpec,
  type ProducerSpec,
  Refusal,
  type Scenario,
  type TopicSpec,
} from "../rpc";

export interface Rec {
  t: number;
  key: string | null;
  value: string;
  class: number;
  producer: string;
}

export interface Part {
  end: number;
  start: number;
  recs: Rec[];
}

export interface Topic {
  spec: TopicSpec;
  id: string;
  parts: Part[];
  keys: Map<string, number>;
}

export interface Place {
  committed: number;
  position: number;
  owner: number;
}

export interface Group {
  spec: GroupSpec;
  state: "Empty" | "PreparingRebalance" | "Stable";
  stableAt: number;
  generation: number;
  owed: number[];
  commitAt: number;
  /** "topic/partition" */
  places: Map<string, Place>;
}

export interface Producer {
  spec: ProducerSpec;
  sent: number;
  owed: number;
  turn: number;
}

export interface Model {
  t: number;
  journal: number;
  topics: Map<string, Topic>;
  producers: Map<string, Producer>;
  groups: Map<string, Group>;
  appended: number;
  ticks: { t: number; kind: "rebalance" | "topic" | "user" | "crash" }[];
}

export const HW_DELAY = 60;
const REBALANCE = 700;
const encoder = new TextEncoder();

export function begin(scenario: Scenario): Model {
  const model: Model = {
    t: 0,
    journal: 0,
    topics: new Map(),
    producers: new Map(),
    groups: new Map(),
    appended: 0,
    ticks: [],
  };
  for (const topic of scenario.topics) apply(model, { do: "createTopic", topic });
  for (const producer of scenario.producers) apply(model, { do: "addProducer", producer });
  for (const event of scenario.events ?? []) if (event.at === 0) apply(model, event.command);
  model.t = 100;
  for (const group of scenario.groups) apply(model, { do: "addGroup", group });
  model.ticks = [];
  return model;
}

/** A copy that later changes of the original do not reach; records are shared, they never change. */
export function copy(model: Model): Model {
  const topics = [...model.topics].map(([name, topic]): [string, Topic] => [
    name,
    { ...topic, keys: new Map(topic.keys), parts: topic.parts.map((part) => ({ ...part, recs: part.recs })) },
  ]);
  const groups = [...model.groups].map(([id, group]): [string, Group] => [
    id,
    {
      ...group,
      owed: [...group.owed],
      places: new Map([...group.places].map(([k, v]) => [k, { ...v }])),
    },
  ]);
  return {
    ...model,
    ticks: [...model.ticks],
    topics: new Map(topics),
    producers: new Map([...model.producers].map(([name, p]) => [name, { ...p }])),
    groups: new Map(groups),
  };
}

/** Before a copy lives on, it gets record lists of its own. */
export function revive(kept: Model): Model {
  const model = copy(kept);
  for (const topic of model.topics.values()) {
    for (const part of topic.parts) part.recs = part.recs.slice(0, part.end);
  }
  return model;
}

export function advance(model: Model, dt: number) {
  let left = dt;
  while (left > 0) {
    const slice = Math.min(left, 20);
    model.t += slice;
    left -= slice;
    for (const producer of model.producers.values()) produce(model, producer, slice);
    for (const topic of model.topics.values()) retain(model, topic);
    for (const group of model.groups.values()) consume(model, group, slice);
  }
}

export function highWatermark(model: Model, part: Part): number {
  let hw = part.end;
  while (hw > part.start && (part.recs[hw - 1]?.t ?? 0) > model.t - HW_DELAY) hw--;
  return hw;
}

function produce(model: Model, producer: Producer, dt: number) {
  if (producer.spec.paused || !model.topics.has(producer.spec.topic)) return;
  producer.owed += (producer.spec.rate * dt) / 1000;
  while (producer.owed >= 1) {
    producer.owed -= 1;
    sendOne(model, producer, keyFor(producer), null);
  }
}

function keyFor({ spec, sent }: Producer): string | null {
  if (spec.key.mode === "none") return null;
  if (spec.key.mode === "fixed") return spec.key.key;
  return `guest-${(sent % spec.key.keys) + 1}`;
}

function sendOne(model: Model, producer: Producer, key: string | null, line: string | null) {
  const topic = model.topics.get(producer.spec.topic);
  if (!topic) return;
  const partition = partitionFor(producer, key, topic.parts.length);
  const part = topic.parts[partition];
  if (!part) return;
  const value = line ?? render(producer, key, model.t);
  part.recs.push({ t: model.t, key, value, class: classOf(topic, key), producer: producer.spec.name });
  part.end++;
  producer.sent++;
  model.appended++;
}

function render({ spec, sent }: Producer, key: string | null, t: number): string {
  const values: Record<string, string> = {
    n: String(sent),
    key: key ?? "",
    time: String(Math.round(t)),
    random: String((Math.imul(sent + 7, 40503) >>> 8) % 1000),
  };
  const text = spec.valueTemplate.replace(
    /\{(n|key|time|random)\}/g,
    (_, name: string) => values[name] ?? "",
  );
  return text.padEnd(spec.valueSize, ".");
}

function partitionFor(producer: Producer, key: string | null, count: number): number {
  const how = producer.spec.partitioner;
  if (how.by === "manual") return Math.min(how.partition, count - 1);
  if (how.by === "key" && key !== null) return (murmur2(encoder.encode(key)) & 0x7fffffff) % count;
  if (how.by === "roundRobin") return producer.turn++ % count;
  return Math.floor(producer.sent / 4) % count;
}

function classOf(topic: Topic, key: string | null): number {
  if (key === null) return 0;
  const known = topic.keys.get(key);
  if (known) return known;
  const fresh = (topic.keys.size % 252) + 1;
  topic.keys.set(key, fresh);
  return fresh;
}

function retain(model: Model, topic: Topic) {
  const ms = Number(topic.spec.config["retention.ms"] ?? -1);
  if (ms < 0) return;
  for (const part of topic.parts) {
    while (part.start < part.end && (part.recs[part.start]?.t ?? 0) < model.t - ms) part.start++;
  }
}

function consume(model: Model, group: Group, dt: number) {
  if (group.spec.members.length === 0 || group.spec.paused) return;
  if (group.state === "PreparingRebalance") {
    if (model.t < group.stableAt) return;
    assign(model, group);
  }
  group.spec.members.forEach((_, m) => {
    const mine = [...group.places].filter(([, place]) => place.owner === m);
    const owed = (group.owed[m] ?? 0) + (group.spec.rate === 0 ? 1e6 : (group.spec.rate * dt) / 1000);
    group.owed[m] = Math.min(takeTurns(model, mine, owed), Math.max(1, group.spec.rate / 20));
  });
  if (group.spec.autoCommit && model.t >= group.commitAt) {
    group.commitAt = model.t + group.spec.autoCommitIntervalMs;
    for (const place of group.places.values()) if (place.owner >= 0) place.committed = place.position;
  }
}

function takeTurns(model: Model, mine: [string, Place][], owed: number): number {
  let left = owed;
  let moved = true;
  while (left >= 1 && moved) {
    moved = false;
    for (const [where, place] of mine) {
      const part = partAt(model, where);
      if (!part || left < 1) continue;
      place.position = Math.max(place.position, part.start);
      if (place.position < highWatermark(model, part)) {
        place.position++;
        left--;
        moved = true;
      }
    }
  }
  return left;
}

export function partAt(model: Model, where: string): Part | undefined {
  const cut = where.lastIndexOf("/");
  return model.topics.get(where.slice(0, cut))?.parts[Number(where.slice(cut + 1))];
}

function rebalance(model: Model, group: Group) {
  for (const place of group.places.values()) {
    if (place.owner >= 0 && group.spec.autoCommit) place.committed = place.position;
    place.owner = -1;
  }
  group.state = group.spec.members.length === 0 ? "Empty" : "PreparingRebalance";
  group.stableAt = model.t + REBALANCE;
  group.generation++;
  model.ticks.push({ t: model.t, kind: "rebalance" });
}

function assign(model: Model, group: Group) {
  group.state = "Stable";
  group.commitAt = model.t + group.spec.autoCommitIntervalMs;
  const members = group.spec.members.length;
  let turn = 0;
  for (const name of group.spec.topics) {
    const parts = model.topics.get(name)?.parts ?? [];
    const [each, more] = [Math.floor(parts.length / members), parts.length % members];
    parts.forEach((part, p) => {
      const range =
        p < (each + 1) * more
          ? Math.floor(p / (each + 1))
          : more + Math.floor((p - (each + 1) * more) / each);
      const owner = group.spec.assignor === "range" ? range : turn++ % members;
      const place = group.places.get(`${name}/${p}`) ?? { committed: -1, position: -1, owner };
      place.owner = owner;
      const reset = group.spec.autoOffsetReset === "latest" ? part.end : part.start;
      place.position = place.committed >= 0 ? place.committed : reset;
      group.places.set(`${name}/${p}`, place);
    });
  }
}

/** Carries out one command, or throws a Refusal. */
export function apply(model: Model, command: Command) {
  model.journal++;
  switch (command.do) {
    case "createTopic": {
      const { topic } = command;
      if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic.name))
        throw new Refusal("INVALID_TOPIC_EXCEPTION", topic.name, { topic: topic.name });
      if (model.topics.has(topic.name))
        throw new Refusal("TOPIC_ALREADY_EXISTS", topic.name, { topic: topic.name });
      const parts = Array.from({ length: topic.partitions }, () => ({ start: 0, end: 0, recs: [] }));
      model.topics.set(topic.name, {
        spec: { ...topic },
        id: btoa(topic.name).padEnd(22, "A").slice(0, 22),
        parts,
        keys: new Map(),
      });
      model.ticks.push({ t: model.t, kind: "topic" });
      return;
    }
    case "configureTopic": {
      const { spec } = topicNamed(model, command.name);
      spec.config = { ...spec.config };
      for (const [name, value] of Object.entries(command.config)) {
        if (value === null) delete spec.config[name];
        else spec.config[name] = value;
      }
      return;
    }
    case "addPartitions": {
      const topic = topicNamed(model, command.name);
      if (command.partitions <= topic.parts.length)
        throw new Refusal("INVALID_PARTITIONS", "not an increase", { topic: command.name });
      while (topic.parts.length < command.partitions) topic.parts.push({ start: 0, end: 0, recs: [] });
      topic.spec = { ...topic.spec, partitions: command.partitions };
      for (const group of model.groups.values())
        if (group.spec.topics.includes(command.name)) rebalance(model, group);
      return;
    }
    case "deleteTopic":
      topicNamed(model, command.name);
      model.topics.delete(command.name);
      for (const group of model.groups.values()) {
        for (const where of group.places.keys())
          if (where.startsWith(`${command.name}/`)) group.places.delete(where);
      }
      model.ticks.push({ t: model.t, kind: "topic" });
      return;
    case "addProducer":
      if (model.producers.has(command.producer.name))
        throw new Refusal("name-taken", command.producer.name, { name: command.producer.name });
      model.producers.set(command.producer.name, {
        spec: { ...command.producer },
        sent: 0,
        owed: 0,
        turn: 0,
      });
      return;
    case "updateProducer":
      Object.assign(placed(model.producers, command.name), {
        spec: { ...placed(model.producers, command.name).spec, ...command.change },
      });
      return;
    case "removeProducer":
      placed(model.producers, command.name);
      model.producers.delete(command.name);
      return;
    case "send":
      for (const line of command.lines)
        sendOne(model, placed(model.producers, command.producer), line.key, line.value);
      return;
    default:
      return applyToGroup(model, command);
  }
}

type GroupCommand = Extract<Command, { do: "addGroup" | "groupId" } | { groupId: string }>;

function applyToGroup(model: Model, command: GroupCommand) {
  if (command.do === "addGroup") {
    const spec = { ...command.group, members: [...command.group.members] };
    if (model.groups.has(spec.groupId)) throw new Refusal("name-taken", spec.groupId, { name: spec.groupId });
    const group: Group = {
      spec,
      state: "Empty",
      stableAt: 0,
      generation: 0,
      owed: [],
      commitAt: 0,
      places: new Map(),
    };
    model.groups.set(spec.groupId, group);
    return rebalance(model, group);
  }
  const group = placed(model.groups, command.groupId);
  switch (command.do) {
    case "updateGroup":
      group.spec = { ...group.spec, ...command.change };
      if (command.change.topics || command.change.assignor) rebalance(model, group);
      return;
    case "removeGroup":
      model.groups.delete(command.groupId);
      return;
    case "addMember":
      group.spec = { ...group.spec, members: [...group.spec.members, command.member] };
      return rebalance(model, group);
    case "removeMember":
      group.spec = { ...group.spec, members: group.spec.members.filter((m) => m.name !== command.name) };
      if (command.how === "kill") model.ticks.push({ t: model.t, kind: "crash" });
      return rebalance(model, group);
    case "seekMember": {
      const place = placed(group.places, `${command.topic}/${command.partition}`);
      if (place.owner < 0) throw new Refusal("no-owner", "nobody owns the partition");
      place.position = command.offset;
      return;
    }
    case "resetOffsets": {
      if (group.state !== "Empty" && !command.restart)
        throw new Refusal("NON_EMPTY_GROUP", "the group has active members", { group: command.groupId });
      const where = `${command.topic}/${command.partition}`;
      const place = group.places.get(where) ?? { committed: -1, position: -1, owner: -1 };
      group.places.set(where, place);
      rebalance(model, group);
      place.committed = command.offset;
      place.position = command.offset;
      return;
    }
  }
}

function topicNamed(model: Model, name: string): Topic {
  const topic = model.topics.get(name);
  if (!topic) throw new Refusal("UNKNOWN_TOPIC_OR_PARTITION", name, { topic: name });
  return topic;
}

function placed<T>(map: Map<string, T>, name: string): T {
  const found = map.get(name);
  if (!found) throw new Refusal("unknown-name", name, { name });
  return found;
}
