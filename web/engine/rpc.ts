/**
 * Everything that crosses between the page and the worker that owns the world.
 *
 * Three kinds of traffic:
 *   Call   page -> worker   one object per request, answered by a Reply with the same id
 *   Push   worker -> page   unasked: frames, snapshots, events, notices, terminal output
 *   bytes  both ways        Kafka frames on a MessagePort from `connect`, batch bytes in `inspect`
 *
 * Calls, pushes and all they are made of are generated from the Rust types (`./generated/messages`, renewed by
 * `cargo xtask codegen`): add a field, a push or a call there. Here is only what has no counterpart in Rust.
 *
 * Numbers: offsets, times and counts are JavaScript safe integers (`number`) in calls and frames, where
 * the page calculates with them. In the stable JSON surfaces (`Snapshot`, `RecordView`) 64-bit numbers are
 * decimal strings. World time is in milliseconds and may have a fraction.
 *
 * Nothing is pushed, and no Reply leaves, before what it shows is stored.
 *
 * Everything has a bound, and an answer for "too much":
 *   calls that wait for their turn    CALLS_MAX (host.rs)       refused: `too-many-calls`
 *   an argument of a call             ARGUMENT_MAX (browser.rs) refused: `invalid-argument`; so a scenario, and
 *                                     the lines of one `send`
 *   lines that a producer has to send LINES_MAX (producer.rs)   refused: `too-many`
 *   what is typed at once             TYPED_MAX (calls.rs)      refused; `window.brooklet` cuts it in pieces
 *   a command line                    LINE_MAX (calls.rs)       refused: `invalid-argument`
 *   a workspace's name and title      NAME_MAX (calls.rs)       refused: `invalid-argument`
 *   lanes that are watched            LANES_MAX (stage.rs)      refused: `invalid-argument`
 *   cells of a lane                   CELLS_MAX (stage.rs)      fewer are sent
 *   records of one answer             RECORDS_MAX (inspect.rs)  fewer are given: ask again from the next offset
 *   world time and speed              TIME_MAX, SPEED_MAX (methods.rs)  refused: `invalid-argument`
 *   turns the page has not taken      UNSEEN_MAX (push.rs)      no more is shown until it has
 *   a terminal's output               FULL_BYTES (terminals.rs) its command stands still; KEPT_BYTES: lost, and said
 *   commands that run                 TERMINALS_MAX (terminals.rs)  refused: `too-many`
 *   producers and members             ACTORS_MAX (apply.rs)     refused: `too-many`
 */

import type { Engine, NoticeCode as WorkerNotice, Push as WorkerPush } from "./generated/messages";

export type {
  Acks,
  Actors,
  Command,
  Engine,
  GroupSpec,
  GroupState,
  How,
  Inspection,
  KeyMode,
  Layout,
  Line,
  MemberSpec,
  Opened,
  Partitioner,
  PartitionState,
  ProducerSpec,
  RecordView,
  Scenario,
  Snapshot,
  Span,
  Status,
  TimeControl,
  Timeline,
  TopicSpec,
  Watch,
  WatchLane,
  Workspace,
  WorldEvent,
} from "./generated/messages";

export type NoticeCode =
  | WorkerNotice
  | "restarted" // {why} the worker failed and was started again from the database (sent by the client)
  | "down" // {why} the worker failed again and again and is not started any more (sent by the client)
  | "dropped" // {} the browser lost every database of the site: the workspace begins anew (sent by the page)
  | "outdated"; // {} another tab runs a newer version: reload (sent by the page)

export interface Notice {
  code: NoticeCode;
  params: Record<string, string>;
}

export type Push =
  | Exclude<WorkerPush, { push: "notice" }>
  | { push: "notice"; notice: Notice }
  /** One frame of the stage; its layout is in `frame.ts`. */
  | { push: "frame"; buffer: ArrayBuffer };

/** Page -> worker, unasked: everything up to this turn has been taken. */
export interface Seen {
  seen: number;
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
