/**
 * Everything that crosses between the page and the worker that owns the world.
 *
 * Three kinds of traffic:
 *   Call   page -> worker   one object per request, answered by a Reply with the same id
 *   Push   worker -> page   unasked: frames, snapshots, events, notices, terminal output
 *   bytes  both ways        Kafka frames on a MessagePort from `connect`, batch bytes in `inspect`
 *
 * Numbers: offsets, times and counts are JavaScript safe integers (`number`) in calls and frames, where
 * the page calculates with them. In the stable JSON surfaces (`Snapshot`, `RecordView`) 64-bit numbers are
 * decimal strings. World time is in milliseconds and may have a fraction.
 *
 * Nothing is pushed, and no Reply leaves, before what it shows is stored.
 */

// ---------------------------------------------------------------- what a person places on the stage

export type Acks = "all" | "1" | "0";

/** How a producer makes keys: none; `cycle` = guest-1..guest-N in turn (their murmur2 spreads six of them evenly over three partitions); always the same one. */
export type KeyMode = { mode: "none" } | { mode: "cycle"; keys: number } | { mode: "fixed"; key: string };

/** `key`: murmur2 of the key, sticky when there is none. `manual`: always partition `p`. */
export type Partitioner =
  | { by: "key" }
  | { by: "sticky" }
  | { by: "roundRobin" }
  | { by: "manual"; partition: number };

export interface ProducerSpec {
  /** Unique among producers; also Kafka's client.id. */
  name: string;
  topic: string;
  /** Records per second of world time. 0 = sends only what is typed or dropped on it. */
  rate: number;
  /** Text of each value. `{n}` = running number, `{key}`, `{time}` = world time in ms, `{random}` = 0..999. */
  valueTemplate: string;
  /** Pad values with dots to this many bytes; 0 = do not pad. */
  valueSize: number;
  key: KeyMode;
  partitioner: Partitioner;
  acks: Acks;
  idempotent: boolean;
  /** batch.size in bytes and linger.ms, as in Kafka's producer. */
  batchSize: number;
  lingerMs: number;
  compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  paused: boolean;
}

export interface TopicSpec {
  name: string;
  partitions: number;
  /** Topic configs by Kafka's names and in Kafka's text, e.g. `{"retention.ms": "60000"}`. */
  config: Record<string, string>;
}

export interface MemberSpec {
  /** Unique in its group; also Kafka's client.id. Kafka's member id is in the snapshot. */
  name: string;
}

export interface GroupSpec {
  groupId: string;
  topics: string[];
  assignor: "range" | "roundrobin";
  /** Records per second that each member handles; 0 = as fast as it can. */
  rate: number;
  autoCommit: boolean;
  autoCommitIntervalMs: number;
  autoOffsetReset: "earliest" | "latest" | "none";
  sessionTimeoutMs: number;
  members: MemberSpec[];
  paused: boolean;
}

/** What a lesson starts from, a link carries and `brooklet run` executes. Unknown fields are refused. */
export interface Scenario {
  version: 1;
  title?: string;
  /** Decimal u64; the only source of chance. */
  seed: string;
  /** When the world begins, in Unix milliseconds; left out, it is the first moment of 2026. */
  startMs?: number;
  brokers: number;
  speed?: number;
  topics: TopicSpec[];
  producers: ProducerSpec[];
  groups: GroupSpec[];
  /** Commands that happen by themselves at a world time. */
  events?: { at: number; command: Command }[];
}

// ---------------------------------------------------------------- commands: every direct manipulation

export interface Line {
  key: string | null;
  value: string;
}

/** One user event: journaled, undone by `undo`. */
export type Command =
  | { do: "addProducer"; producer: ProducerSpec }
  | { do: "updateProducer"; name: string; change: Partial<Omit<ProducerSpec, "name">> }
  | { do: "removeProducer"; name: string }
  /** Sends these through the producer, in order, as fast as it may, also when it is paused. */
  | { do: "send"; producer: string; lines: Line[] }
  | { do: "createTopic"; topic: TopicSpec }
  | { do: "configureTopic"; name: string; config: Record<string, string | null> }
  | { do: "addPartitions"; name: string; partitions: number }
  | { do: "deleteTopic"; name: string }
  | { do: "addGroup"; group: GroupSpec }
  | { do: "updateGroup"; groupId: string; change: Partial<Omit<GroupSpec, "groupId" | "members">> }
  | { do: "removeGroup"; groupId: string }
  | { do: "addMember"; groupId: string; member: MemberSpec }
  /** `leave` sends LeaveGroup; `kill` just stops, and the session times out. */
  | { do: "removeMember"; groupId: string; name: string; how: "leave" | "kill" }
  /** The member that owns the partition seeks: its position moves, nothing is committed by this. */
  | { do: "seekMember"; groupId: string; topic: string; partition: number; offset: number }
  /** Moves the committed offset. Kafka refuses it while members are active (NON_EMPTY_GROUP); with `restart`
   *  the members are stopped before and started again after. */
  | {
      do: "resetOffsets";
      groupId: string;
      topic: string;
      partition: number;
      offset: number;
      restart: boolean;
    };

/** Time is not an event of the world: it is where and how fast we look. Not undone. */
export type TimeControl =
  | { op: "pause" }
  | { op: "resume" }
  | { op: "speed"; x: number }
  | { op: "step"; by: "event" | "record" }
  /** Goes to a world time between `Timeline.start` and `Timeline.end`, and pauses there. */
  | { op: "seek"; t: number }
  /** Back to the newest moment. */
  | { op: "now" };

/** Which cells the page wants in frames. A cell holds 10^decade records, bins start at its multiples. */
export interface Watch {
  lanes: WatchLane[];
  /** 0..4 */
  decade: number;
  /** Also send the timestamp of the first record in each cell (for "align time"). */
  times: boolean;
}

export interface WatchLane {
  topic: string;
  partition: number;
  /** How many cells fit, at most 400. */
  cells: number;
  /** Offset whose cell is the last one shown; null = follow the log end. */
  until: number | null;
}

// ---------------------------------------------------------------- the calls

export interface Engine {
  /** Opens a workspace (a database of its own). `scenario` is used only if it is new, or started over. */
  open(workspace: string, scenario: Scenario | null): Promise<Opened>;
  /** Begins the workspace anew; what it held is kept, and undo leads back to it. */
  startOver(): Promise<Opened>;
  status(): Promise<Status>;
  /** The present topology as a scenario document. */
  scenario(): Promise<Scenario>;
  command(command: Command): Promise<void>;
  undo(): Promise<void>;
  redo(): Promise<void>;
  time(control: TimeControl): Promise<void>;
  watch(watch: Watch): Promise<void>;
  snapshot(): Promise<Snapshot>;
  records(topic: string, partition: number, from: string, max: number): Promise<RecordView[]>;
  inspect(topic: string, partition: number, offset: number): Promise<Inspection | null>;
  /** Starts a command line (`kafka-topics --list`); output comes as Push. Pipes and redirects are refused. */
  spawn(line: string): Promise<number>;
  stdin(id: number, text: string): Promise<void>;
  eof(id: number): Promise<void>;
  /** Ctrl+C; the exit status comes as a Push. */
  signal(id: number): Promise<void>;
  /** A connection to a broker: Kafka frames with their 4-byte length, as ArrayBuffers. */
  connect(brokerId: number): Promise<MessagePort>;
  workspaces(): Promise<Workspace[]>;
  renameWorkspace(id: string, title: string): Promise<void>;
  /** Hides it; until the page is loaded again, or another one is deleted, it can be brought back. */
  deleteWorkspace(id: string): Promise<void>;
  undeleteWorkspace(id: string): Promise<void>;
}

export interface Opened {
  workspace: string;
  /** Tells the workspace's worlds apart: it has another one once it was started over. */
  world: string;
  /** True: was there before and has been recovered from its logs. */
  restored: boolean;
  /** False: another tab owns it; this one only waits (see the notice `not-owner`) and takes over when that is gone. */
  owner: boolean;
}

export interface Status {
  workspace: string;
  /** This tab owns it: what it is asked to do, it does. */
  owner: boolean;
  /** Who owns it while this tab waits, in words; null when nobody else does. */
  ownedBy: string | null;
}

export interface Workspace {
  id: string;
  title: string;
  bytes: number;
  /** Wall-clock milliseconds, for the list only. */
  usedAt: number;
  open: boolean;
}

/** `window.brooklet.snapshot()`; version 1 is stable. 64-bit numbers are decimal strings. */
export interface Snapshot {
  version: 1;
  worldTime: string;
  running: boolean;
  speed: number;
  journalLength: string;
  brokers: { id: number; state: "running" | "starting" | "stopped"; controller: boolean }[];
  topics: { name: string; topicId: string; partitions: PartitionState[] }[];
  producers: { id: string; name: string; topic: string; rate: number; acks: Acks; sent: string }[];
  groups: GroupState[];
}

export interface PartitionState {
  partition: number;
  leader: number;
  leaderEpoch: number;
  replicas: number[];
  isr: number[];
  logStartOffset: string;
  highWatermark: string;
  logEndOffset: string;
  bytes: string;
}

export interface GroupState {
  groupId: string;
  /** Kafka's words: Empty, PreparingRebalance, CompletingRebalance, Stable, Dead. */
  state: string;
  generation: number;
  protocol: string;
  members: { memberId: string; clientId: string; assignment: { topic: string; partition: number }[] }[];
  /** position: of the member that owns the partition, null when no placed member does. lag = high watermark - committed. */
  offsets: {
    topic: string;
    partition: number;
    committed: string | null;
    position: string | null;
    lag: string | null;
  }[];
}

/** `window.brooklet.records()`: bytes as base64, null stays null. */
export interface RecordView {
  offset: string;
  timestamp: string;
  key: string | null;
  value: string | null;
  headers: { key: string; value: string | null }[];
}

export interface Inspection {
  record: RecordView;
  batch: {
    baseOffset: string;
    lastOffset: string;
    records: number;
    codec: "none" | "gzip" | "snappy" | "lz4" | "zstd";
    partitionLeaderEpoch: number;
    producerId: string;
    producerEpoch: number;
    baseSequence: number;
    timestampType: "CreateTime" | "LogAppendTime";
    transactional: boolean;
    control: boolean;
    crc: number;
  };
  /** The batch as it lies in the log. */
  bytes: ArrayBuffer;
  /** Fields of the batch header, and of this record if the batch is not compressed; cover every byte once, in order.
   *  `name` is Kafka's field name; `part` says what it belongs to. */
  spans: Span[];
  /** Why this partition; null when there is no key. `hash` is murmur2 as a signed 32-bit number. */
  partitioning: { hash: number; positive: number; partitions: number; partition: number } | null;
}

export interface Span {
  name: string;
  start: number;
  end: number;
  part: "batch" | "record" | "otherRecord";
  /** The field's value in words, e.g. `38` or `lz4`; empty for opaque bytes. */
  value: string;
}

// ---------------------------------------------------------------- what the worker pushes

export type Push =
  /** Another world is open: after opening, taking over, starting over, and undoing that. */
  | { push: "opened"; opened: Opened }
  | { push: "frame"; buffer: ArrayBuffer }
  | { push: "layout"; layout: Layout }
  | { push: "snapshot"; snapshot: Snapshot }
  | { push: "actors"; actors: Actors }
  | { push: "timeline"; timeline: Timeline }
  | { push: "event"; event: WorldEvent }
  | { push: "notice"; notice: Notice }
  | { push: "stdout"; id: number; text: string }
  | { push: "stderr"; id: number; text: string }
  /** `why` when it did not end by itself: its world was taken back, is another one now, or was begun again. */
  | { push: "exit"; id: number; code: number; why?: "undone" | "replaced" | "restarted" }
  /** The world was taken back to this world time and this many inputs, or is another one (0, 0): what is known of
   *  later is no more. */
  | { push: "rewound"; to: number; journal: number }
  /** All of a turn has been sent. Answered by `Seen`: a page that does not keep up is sent no more than a few. */
  | { push: "turn"; turn: number };

/** Page -> worker, unasked: everything up to this turn has been taken. */
export interface Seen {
  seen: number;
}

/** What the indexes in a frame mean. Sent before the first frame that uses it; frames name it by `id`. */
export interface Layout {
  id: number;
  lanes: { topic: string; partition: number }[];
  groups: string[];
  producers: string[];
  /** Placed members, in all groups; a marker names its owner by index + 1. */
  members: { groupId: string; name: string }[];
}

/** What has been placed, for the editors. Sent when it changes. */
export interface Actors {
  topics: TopicSpec[];
  producers: ProducerSpec[];
  groups: GroupSpec[];
}

/** At most 8 per second. Times in world milliseconds. */
export interface Timeline {
  /** Where history begins; before it there is nothing to go back to. */
  start: number;
  end: number;
  now: number;
  ticks: { t: number; kind: "rebalance" | "topic" | "user" | "crash" }[];
  /** Records appended per second of world time, in equal slices from start to end; at most 240 of them. */
  rates: number[];
  /** What undo and redo would do, as event codes; null = nothing. */
  undo: string | null;
  redo: string | null;
}

/** One line of the Events drawer. `code` and `params` are put into words by the catalogue (`events.<code>`). */
export interface WorldEvent {
  t: number;
  /** Inputs that had come into the world by then. */
  journal: number;
  kind: "user" | "broker" | "group" | "client" | "storage";
  code: string;
  params: Record<string, string>;
  /** The command line that does the same; null = there is none. Present on events of kind `user`. */
  cli: string | null;
}

export type NoticeCode =
  | "not-owner" // {owner} another tab writes this workspace; this tab only waits
  | "took-over" // {} that tab is gone, this one owns it now
  | "lost-ownership" // {} another tab took it (generation changed)
  | "quota" // {gone} the browser has no room: appends are refused until there is; gone: what was kept to be undone
  //           is gone for good
  | "storage-lost" // {why} the database connection was lost; nothing is acknowledged until it is back
  | "storage-back" // {}
  | "restarted" // {why} the worker failed and was started again from the database
  | "cut" // {log, at, bytes, why, more} recovery removed a torn or corrupt tail, and those of `more` other logs
  | "history-begins" // {} after a reload the timeline begins here
  | "history-trimmed" // {} the oldest part of the history was let go
  | "branched" // {at} something was done in the past: what came after it is kept, and undo leads back to it
  | "past-closed" // {connections} doing something in the past closed connections from outside
  | "dropped" // {} the browser lost every database of the site: the workspace begins anew (sent by the page)
  | "memory" // {} this browser keeps no storage: the world lives in memory only
  | "memory-full" // {} the logs that live in memory only have come to their bound: appends are refused
  | "memory-room" // {} there is room in memory again
  | "outdated" // {} another tab runs a newer version: reload
  | "down"; // {why} the worker failed again and again and is not started any more (sent by the client)

export interface Notice {
  code: NoticeCode;
  params: Record<string, string>;
}

// ---------------------------------------------------------------- the envelope

export type Method = keyof Engine;

export type Call = { [M in Method]: { id: number; method: M; args: Parameters<Engine[M]> } }[Method];

/** `code` of a failure: Kafka's error name (`NON_EMPTY_GROUP`) or one of ours in kebab-case (`unknown-workspace`). */
export type Reply =
  | { reply: number; ok: true; value: unknown }
  | { reply: number; ok: false; code: string; message: string; params: Record<string, string> };

export type FromWorker = Reply | Push;

export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly params: Record<string, string> = {},
  ) {
    super(message);
    this.name = "Refusal";
  }
}
