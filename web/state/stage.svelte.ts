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

  /** At most once a second: what speed the eye would have to follow decides how much a cell holds. */
  see(frame: FrameView, now: number) {
    if (this.zoom !== null || now - this.decidedAt < 700 || !frame.running) return;
    this.decidedAt = now;
    const rate = Math.max(0, ...frame.lanes.map((lane) => lane.appendRate)) * frame.speed;
    const decade = decadeFor(rate, this.decade);
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
