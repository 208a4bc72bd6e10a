/** How the stage is looked at: records per cell, alignment, and which window of each lane the frames must hold. */

import type { Client } from "../engine/client";
import type { FrameView } from "../engine/frame";
import type { WatchLane } from "../engine/rpc";
import { type Align, decadeFor } from "./scale";

export class StageView {
  decade = $state(0);
  /** Null: chosen by the rate. */
  zoom = $state<number | null>(null);
  align = $state<Align>("newest");
  private readonly wanted = new Map<string, WatchLane[]>();
  private sent = "";
  private decidedAt = 0;
  private speed = 1;
  private due = false;

  constructor(private readonly client: Client) {}

  want(topic: string, lanes: WatchLane[]) {
    this.wanted.set(topic, lanes);
    this.send();
  }

  forget(topic: string) {
    this.wanted.delete(topic);
    this.send();
  }

  setAlign(align: Align) {
    this.align = align;
    this.send();
  }

  setZoom(zoom: number | null) {
    this.zoom = zoom;
    if (zoom !== null) this.decade = zoom;
    this.decidedAt = 0;
    this.send();
  }

  /** What speed the eye would have to follow decides how much a cell holds: now and then, and at once when a
      person makes time run at another speed. */
  see(frame: FrameView, now: number) {
    const turned = frame.speed !== this.speed;
    if (this.zoom !== null || !frame.running || (!turned && now - this.decidedAt < 700)) return;
    this.decidedAt = now;
    this.speed = frame.speed;
    const rate = Math.max(0, ...frame.lanes.map((lane) => lane.appendRate)) * frame.speed;
    const decade = decadeFor(rate, turned ? 0 : this.decade);
    if (decade === this.decade) return;
    this.decade = decade;
    this.send();
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
    const watch = {
      lanes: [...this.wanted.values()].flat(),
      decade: this.decade,
      times: this.align === "time",
    };
    const text = JSON.stringify(watch);
    if (text === this.sent) return;
    this.sent = text;
    void this.client.watch(watch).catch(() => {
      this.sent = "";
    });
  }
}
