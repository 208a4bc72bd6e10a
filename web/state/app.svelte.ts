/** The page's state, one object, made once. */

import type { Client } from "../engine/client";
import { LESSONS } from "../lessons";
import { LessonProgress } from "./lesson.svelte";
import { Selection } from "./selection.svelte";
import { StageView } from "./stage.svelte";
import { Terminals } from "./terminal.svelte";
import { Theme } from "./theme.svelte";
import { World } from "./world.svelte";

export type Panel = "learn" | "inspect" | "terminal" | "events";

export class App {
  readonly world: World;
  readonly theme = new Theme();
  readonly selection = new Selection();
  readonly stage: StageView;
  readonly terminals: Terminals;
  lesson = $state.raw<LessonProgress | null>(null);
  learnOpen = $state(true);
  drawerOpen = $state(true);
  drawer = $state<"terminal" | "events">("terminal");
  /** Which panel a phone shows. */
  panel = $state<Panel>("learn");
  workspace = $state("");
  failure = $state<string | null>(null);
  /** Narrow: the cards of producers and groups stand in the inspector then. */
  phone = $state(false);

  constructor(client: Client) {
    const narrow = matchMedia("(max-width: 700px)");
    this.phone = narrow.matches;
    narrow.addEventListener("change", (event) => {
      this.phone = event.matches;
    });
    this.world = new World(client);
    this.stage = new StageView(client);
    this.terminals = new Terminals(client);
    this.world.cliLines((line) => this.terminals.active?.gui(line));
    this.world.frames((frame) => this.stage.see(frame, performance.now()));
    client.onPush((push) => {
      if (push.push === "snapshot") this.lesson?.see(push.snapshot);
      if (push.push === "layout") this.stage.renew();
      if (push.push === "exit") this.lesson?.ran(this.world.snapshot);
    });
  }

  async openLesson(slug: string, fresh = false) {
    const found = LESSONS.find((each) => each.slug === slug) ?? LESSONS[0];
    if (!found) return;
    this.lesson = new LessonProgress(found.lesson);
    this.selection.select(null);
    this.workspace = `lesson-${found.slug}`;
    await this.world.open(this.workspace, found.start, fresh);
  }

  /** Selecting a record fills the inspector, and on a phone goes there. */
  inspect(topic: string, partition: number, offset: number) {
    this.selection.select({ topic, partition, offset });
    this.lesson?.inspected(this.world.snapshot);
  }
}
