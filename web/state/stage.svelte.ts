/** How the stage is looked at: alignment, each topic's scale, and which window of each lane the frames must hold. */

import type { Client } from "../engine/client";
import type { FrameView } from "../engine/frame";
import type { WatchLane } from "../engine/rpc";
import type { Plan } from "./plan";
import { type Align, DECADE_MAX, decadeFor } from "./scale";

/** What of a lane a topic's box wants; its scale says the rest. */
export type Wish = Omit<WatchLane, "topic" | "partition" | "decade">;

/** How much a cell of one topic holds. */
export class Scale {
  decade = $state(0);
  /** Null: chosen by the rate and the room. */
  zoom = $state<number | null>(null);
  /** While a hand holds a marker, nothing shifts under it. */
  held = false;
  wishes: Wish[] = [];
  /** Cells that a lane has room for. */
  cells = 0;
  decidedAt = 0;
}

export class StageView {
  align = $state<Align>("newest");
  private readonly scales = new Map<string, Scale>();
  private sent = "";
  private speed = 1;
  private due = false;

  constructor(private readonly client: Client) {}

  scale(topic: string): Scale {
    let scale = this.scales.get(topic);
    if (!scale) {
      scale = new Scale();
      this.scales.set(topic, scale);
    }
    return scale;
  }

  want(topic: string, wishes: Wish[], cells: number) {
    const scale = this.scale(topic);
    scale.wishes = wishes;
    scale.cells = cells;
    this.send();
  }

  forget(topic: string) {
    this.scale(topic).wishes = [];
    this.send();
  }

  setAlign(align: Align) {
    this.align = align;
    this.send();
  }

  setZoom(topic: string, zoom: number | null) {
    const scale = this.scale(topic);
    scale.zoom = zoom === null ? null : Math.min(DECADE_MAX, Math.max(0, zoom));
    if (scale.zoom !== null) scale.decade = scale.zoom;
    scale.decidedAt = 0;
    this.send();
  }

  /** How fast its records come and how many there are decides what a topic's cells hold: now and then, and at
      once when a person makes time run at another speed or goes to another moment. */
  see(frame: FrameView, plan: Plan, now: number) {
    const turned = frame.speed !== this.speed;
    this.speed = frame.speed;
    for (const [topic, scale] of this.scales) {
      const lanes = plan.lanes.get(topic);
      if (!lanes || scale.zoom !== null || scale.held || scale.cells === 0) continue;
      if (frame.running && !turned && now - scale.decidedAt < 700) continue;
      scale.decidedAt = now;
      let [rate, records] = [0, 0];
      for (const index of lanes) {
        const lane = frame.lanes[index];
        if (!lane) continue;
        rate = Math.max(rate, lane.appendRate * frame.speed);
        records = Math.max(records, lane.logEnd - lane.logStart);
      }
      const load = { rate: frame.running ? rate : null, records, cells: scale.cells };
      const decade = decadeFor(load, turned ? 0 : scale.decade);
      if (decade === scale.decade) continue;
      scale.decade = decade;
      this.send();
    }
  }

  /** Asks again after the world was opened anew. */
  renew() {
    this.sent = "";
    this.send();
  }

  /** Once after everything that is changing now has changed. */
  private send() {
    if (this.due) return;
    this.due = true;
    queueMicrotask(() => {
      this.due = false;
      this.sendNow();
    });
  }

  private sendNow() {
    const lanes = [...this.scales].flatMap(([topic, { decade, wishes }]) =>
      wishes.map((wish, partition) => ({ topic, partition, decade, ...wish })),
    );
    const watch = { lanes, times: this.align === "time" };
    const text = JSON.stringify(watch);
    if (text === this.sent) return;
    this.sent = text;
    void this.client.watch(watch).catch(() => {
      this.sent = "";
    });
  }
}
