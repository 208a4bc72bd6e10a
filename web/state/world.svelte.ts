/** The world as the page knows it: what the engine pushed, and the few calls that change it. */

import type { Client } from "../engine/client";
import { type FrameView, readFrame } from "../engine/frame";
import type {
  Actors,
  Command,
  GroupState,
  Layout,
  Notice,
  NoticeCode,
  Push,
  Scenario,
  Snapshot,
  TimeControl,
  Timeline,
  WorldEvent,
} from "../engine/rpc";
import { Refusal } from "../engine/rpc";
import { Marks } from "./marks";
import { perFrame } from "./perFrame";
import { NO_PLAN, type Plan, planOf } from "./plan";

const EVENTS_MAX = 500;
const NOTICES_MAX = 4;

const NOTHING: Snapshot = {
  version: 1,
  worldTime: "0",
  running: false,
  speed: 1,
  journalLength: "0",
  brokers: [],
  topics: [],
  producers: [],
  groups: [],
};

export class World {
  snapshot = $state.raw<Snapshot>(NOTHING);
  actors = $state.raw<Actors>({ topics: [], producers: [], groups: [] });
  timeline = $state.raw<Timeline>({ start: 0, end: 0, now: 0, ticks: [], rates: [], undo: null, redo: null });
  layout = $state.raw<Layout>({ id: 0, lanes: [], groups: [], producers: [], members: [] });
  /** The newest of them, with those since the last picture once there is a next one. */
  events = $state.raw<(WorldEvent & { id: number })[]>([]);
  /** How many were let go before the first of these. */
  eventsGone = $state(0);
  notices = $state.raw<(Notice & { id: number })[]>([]);
  /** The last thing done by hand, for "… · Undo". */
  did = $state.raw<{ code: string; id: number } | null>(null);
  running = $state(true);
  past = $state(false);
  speed = $state(1);
  opened = $state(false);
  /** How often the world was taken back, or another one: what was looked at may be something else now. */
  turns = $state(0);
  /** When world time 0 was, in Unix milliseconds. */
  start = $state(Date.UTC(2026, 0, 1));
  /** Not reactive: sixty a second, for the canvas only. */
  frame: FrameView | null = null;
  /** What the layout means by number. */
  plan = $state.raw<Plan>(NO_PLAN);
  private readonly marks = new Marks();
  /** The groups that the workspace begins with when it is new. */
  private first: string[] = [];

  private readonly onFrame = new Set<(frame: FrameView) => void>();
  private readonly onCli = new Set<(line: string) => void>();
  private readonly onDo = new Set<(command: Command) => void>();
  private serial = 0;
  private fresh: (WorldEvent & { id: number })[] = [];
  private readonly eventsAdded = perFrame(() => this.addEvents());

  constructor(readonly client: Client) {
    client.onPush((push) => this.take(push));
  }

  async open(workspace: string, scenario: Scenario | null) {
    // They are about the workspace that was open.
    this.notices = [];
    this.first = scenario?.groups.map(({ groupId }) => groupId) ?? [];
    const opened = await this.client.open(workspace, scenario);
    this.opened = true;
    void this.client.scenario().then(
      ({ startMs }) => {
        this.start = startMs ?? this.start;
      },
      // A tab that waits for its turn has no scenario yet; the moment above is nearly always right.
      () => {},
    );
    return opened;
  }

  /** Does it, remembers it for undo, and prints its command line. Throws a Refusal. */
  async command(command: Command) {
    await this.client.command(command).catch((why: unknown) => {
      throw why instanceof Refusal
        ? new Refusal(why.code, why.message, { ...named(command), ...why.params })
        : why;
    });
    this.did = { code: command.do, id: ++this.serial };
    // Nobody waits for the line, and a page that cannot fetch its words for it has done the deed all the same.
    void import("./cli").then(
      ({ cliOf }) => {
        const line = cliOf(command);
        if (line) for (const tell of this.onCli) tell(line);
      },
      () => {},
    );
    for (const tell of this.onDo) tell(command);
  }

  async startOver() {
    await this.client.startOver();
    this.did = { code: "startOver", id: ++this.serial };
  }

  async time(control: TimeControl) {
    await this.client.time(control);
  }

  async undo() {
    this.did = null;
    await this.client.undo();
  }

  async redo() {
    await this.client.redo();
  }

  dismiss(id: number) {
    this.notices = this.notices.filter((n) => n.id !== id);
  }

  frames(listen: (frame: FrameView) => void): () => void {
    this.onFrame.add(listen);
    return () => this.onFrame.delete(listen);
  }

  cliLines(listen: (line: string) => void): () => void {
    this.onCli.add(listen);
    return () => this.onCli.delete(listen);
  }

  commands(listen: (command: Command) => void): () => void {
    this.onDo.add(listen);
    return () => this.onDo.delete(listen);
  }

  /** The number of a group's symbol. */
  markOf(groupId: string): number {
    return this.plan.marks[this.plan.groups.indexOf(groupId)] ?? this.marks.of(groupId);
  }

  group(groupId: string): GroupState | undefined {
    return this.snapshot.groups.find((g) => g.groupId === groupId);
  }

  private take(push: Push) {
    switch (push.push) {
      case "frame":
        return this.takeFrame(push.buffer);
      case "layout":
        this.lay(push.layout);
        return;
      case "snapshot":
        this.snapshot = push.snapshot;
        return;
      case "actors":
        this.actors = push.actors;
        return;
      case "timeline":
        this.timeline = push.timeline;
        return;
      case "event":
        this.fresh.push({ ...push.event, id: ++this.serial });
        if (this.fresh.length > 2 * EVENTS_MAX) this.addEvents();
        this.eventsAdded.ask();
        return;
      case "notice":
        this.tell(push.notice);
        return;
      case "rewound":
        this.turns++;
        this.addEvents();
        this.events = this.events.filter((e) => e.t <= push.to && e.journal <= push.journal);
        return;
      case "opened":
        this.marks.open(push.opened.world, this.first, !push.opened.restored);
        this.lay(this.layout);
        return;
      case "stdout":
      case "stderr":
      case "exit":
        return; // the app and the terminals listen for themselves
      case "turn":
        return; // the client has answered it
    }
  }

  private addEvents() {
    const all = [...this.events, ...this.fresh];
    this.fresh = [];
    this.eventsGone += Math.max(0, all.length - EVENTS_MAX);
    this.events = all.slice(-EVENTS_MAX);
  }

  private lay(layout: Layout) {
    this.marks.see(layout.groups);
    this.plan = planOf(layout, (group) => this.marks.of(group));
    this.layout = layout;
  }

  private takeFrame(buffer: ArrayBuffer) {
    const frame = readFrame(buffer);
    if (frame.layout !== this.layout.id) return;
    this.frame = frame;
    this.running = frame.running;
    this.past = frame.past;
    this.speed = frame.speed;
    for (const listen of this.onFrame) listen(frame);
  }

  /** Shows a notice. */
  tell(notice: Notice) {
    const rest = this.notices.filter((n) => n.code !== notice.code && !superseded(n.code, notice.code));
    this.notices = [...rest.slice(-NOTICES_MAX + 1), { ...notice, id: ++this.serial }];
  }
}

/** What a command is about, for the words of its refusal. */
function named(command: Command): Record<string, string> {
  const names: Record<string, string> = {};
  if ("groupId" in command) names.group = command.groupId;
  if ("topic" in command)
    names.topic = typeof command.topic === "string" ? command.topic : command.topic.name;
  if ("name" in command) names.name = command.name;
  if (command.do === "addProducer") names.name = command.producer.name;
  if (command.do === "addGroup") names.name = command.group.groupId;
  return names;
}

/** Notices that a newer one makes untrue: no two that contradict each other stand together. */
const UNTRUE: Partial<Record<NoticeCode, NoticeCode[]>> = {
  "took-over": ["not-owner"],
  "lost-ownership": ["took-over"],
  down: ["restarted"],
  // "The records are all there", "nothing acknowledged is lost".
  cut: ["history-begins", "restarted", "dropped"],
  dropped: ["history-begins", "restarted"],
  quota: ["storage-back"],
  "storage-lost": ["storage-back"],
  "storage-back": ["storage-lost", "quota"],
  "memory-full": ["memory-room"],
  "memory-room": ["memory-full"],
};

const superseded = (old: NoticeCode, by: NoticeCode): boolean => UNTRUE[by]?.includes(old) ?? false;
