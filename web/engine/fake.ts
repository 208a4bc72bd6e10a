/** The development engine: the toy broker behind the same interface as the wasm worker. `?engine=fake`, dev mode only. */

import type { Client } from "./client";
import { advance, apply, begin, copy, type Model, revive } from "./fake/model";
import { tool } from "./fake/tools";
import { actorsOf, frameOf, inspectionOf, layoutOf, recordsOf, snapshotOf } from "./fake/views";
import type { Command, Layout, Push, Scenario, Watch } from "./rpc";
import { Refusal } from "./rpc";

const CHECKPOINT = 250;
const CHECKPOINTS_MAX = 480;
const EMPTY: Scenario = { version: 1, seed: "1", brokers: 1, topics: [], producers: [], groups: [] };

/** `tick` is driven by the caller in tests, by the clock in the page. */
export function fakeEngine(): Client & { tick(realMs: number): void } {
  const listeners = new Set<(push: Push) => void>();
  let model: Model = begin(EMPTY);
  let scenario: Scenario = EMPTY;
  let [running, speed, ended] = [true, 1, false];
  let watch: Watch = { lanes: [], decade: 0, times: false };
  let layout: Layout = layoutOf(model, 1);
  let checkpoints: Model[] = [];
  let future: Model | null = null;
  let undos: { before: Model; after: Model; code: string }[] = [];
  let redos: typeof undos = [];
  let slow = 0;
  const commands = new Map<number, ReturnType<typeof tool>>();
  let nextCommand = 1;

  const push = (message: Push) => {
    for (const listen of listeners) listen(message);
  };
  const relayout = () => {
    layout = layoutOf(model, layout.id + 1);
    push({ push: "layout", layout });
    push({ push: "actors", actors: actorsOf(model) });
  };
  const show = () =>
    push({ push: "frame", buffer: frameOf(model, layout, watch, { running, past: future !== null, speed }) });
  const showSlow = () => {
    push({ push: "snapshot", snapshot: snapshotOf(model, running, speed) });
    const first = checkpoints[0]?.t ?? model.t;
    push({
      push: "timeline",
      timeline: {
        start: first,
        end: (future ?? model).t,
        now: model.t,
        ticks: (future ?? model).ticks.filter((tick) => tick.t >= first),
        rates: checkpoints
          .slice(1)
          .map((c, i) => ((c.appended - (checkpoints[i]?.appended ?? 0)) * 1000) / CHECKPOINT),
        undo: undos.at(-1)?.code ?? null,
        redo: redos.at(-1)?.code ?? null,
      },
    });
  };
  const showAll = () => {
    relayout();
    show();
    showSlow();
  };
  const checkpoint = () => {
    checkpoints.push(copy(model));
    if (checkpoints.length > CHECKPOINTS_MAX) checkpoints.shift();
  };
  const fork = () => {
    if (!future) return;
    future = null;
    checkpoints = checkpoints.filter((c) => c.t <= model.t);
    redos = [];
  };
  const go = (dt: number) => {
    let left = dt;
    while (left > 0) {
      const next = Math.min(left, CHECKPOINT - (model.t % CHECKPOINT) || CHECKPOINT);
      advance(model, next);
      left -= next;
      if (!future && model.t % CHECKPOINT < 1e-6) checkpoint();
    }
    for (const command of commands.values()) command.poll(model);
  };
  const event = (command: Command) =>
    push({
      push: "event",
      event: { t: model.t, journal: 0, kind: "user", code: command.do, params: paramsOf(command), cli: null },
    });

  const engine: Client & { tick(realMs: number): void } = {
    onPush(listen) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
    tick(realMs) {
      if (running) go(Math.min(realMs, 100) * speed);
      if (running || !ended) show();
      ended = !running;
      if (++slow % 8 === 0) showSlow();
    },
    async open(workspace, given) {
      scenario = given ?? EMPTY;
      model = begin(scenario);
      [running, speed] = [true, scenario.speed ?? 1];
      checkpoints = [copy(model)];
      [future, undos, redos] = [null, [], []];
      showAll();
      return { workspace, world: workspace, restored: false, owner: true };
    },
    startOver: () => engine.open("sandbox", scenario),
    async status() {
      return { workspace: "sandbox", owner: true, ownedBy: null };
    },
    async scenario() {
      return { ...scenario, ...actorsOf(model) };
    },
    async command(command) {
      fork();
      const before = copy(model);
      const trial = revive(before);
      apply(trial, command);
      trial.ticks.push({ t: trial.t, kind: "user" });
      model = trial;
      undos.push({ before, after: copy(model), code: command.do });
      redos = [];
      checkpoint();
      event(command);
      showAll();
    },
    async undo() {
      const last = undos.pop();
      if (!last) return;
      redos.push({ ...last, after: copy(model) });
      future = null;
      model = revive(last.before);
      checkpoints = checkpoints.filter((c) => c.t <= model.t);
      showAll();
    },
    async redo() {
      const last = redos.pop();
      if (!last) return;
      undos.push(last);
      model = revive(last.after);
      showAll();
    },
    async time(control) {
      switch (control.op) {
        case "pause":
          running = false;
          break;
        case "resume":
          fork();
          running = true;
          break;
        case "speed":
          speed = control.x;
          break;
        case "step": {
          running = false;
          const before = model.appended;
          for (let i = 0; i < 3000 && model.appended === before; i++) go(control.by === "record" ? 1 : 10);
          break;
        }
        case "seek": {
          running = false;
          future ??= model;
          const near = checkpoints.filter((c) => c.t <= control.t).at(-1) ?? checkpoints[0];
          if (near) model = revive(near);
          if (control.t > model.t) advance(model, control.t - model.t);
          if (future && model.t >= future.t) {
            model = future;
            future = null;
          }
          break;
        }
        case "now":
          if (future) model = future;
          future = null;
          break;
      }
      showAll();
    },
    async watch(given) {
      watch = given;
      show();
    },
    async snapshot() {
      return snapshotOf(model, running, speed);
    },
    async records(topic, partition, from, max) {
      return recordsOf(model, topic, partition, Number(from), max);
    },
    async inspect(topic, partition, offset) {
      return inspectionOf(model, topic, partition, offset);
    },
    async spawn(line) {
      const id = nextCommand++;
      const say = (kind: "stdout" | "stderr", text: string) => push({ push: kind, id, text });
      const exit = (code: number) => {
        commands.delete(id);
        push({ push: "exit", id, code });
      };
      const command = tool(line, { say, exit, run: (c) => engine.command(c), model: () => model });
      commands.set(id, command);
      // A worker never answers within the call.
      setTimeout(() => command.start(), 0);
      return id;
    },
    async stdin(id, text) {
      commands.get(id)?.input(text);
    },
    async eof(id) {
      commands.get(id)?.eof();
    },
    async signal(id) {
      commands.get(id)?.interrupt();
    },
    async connect() {
      throw new Refusal("unsupported", "the development engine speaks no Kafka frames");
    },
    async workspaces() {
      return [{ id: "sandbox", title: "Sandbox", bytes: 0, usedAt: 0, open: true }];
    },
    async renameWorkspace() {},
    async deleteWorkspace() {},
    async undeleteWorkspace() {},
  };
  return engine;
}

function paramsOf(command: Command): Record<string, string> {
  const named = command as unknown as Record<string, unknown>;
  const inner = (named.producer ?? named.topic ?? named.group ?? {}) as Record<string, unknown>;
  const name = named.name ?? named.groupId ?? inner.name ?? inner.groupId ?? named.producer ?? "";
  return {
    name: String(name),
    group: String(named.groupId ?? ""),
    count: String((named.lines as unknown[])?.length ?? ""),
  };
}
