/** The page's state, one object, made once. */

import type { Client } from "../engine/client";
import type { Opened } from "../engine/rpc";
import { LESSONS } from "../lessons";
import { forget, isKept, keep } from "./kept";
import { LessonProgress } from "./lesson.svelte";
import { Selection } from "./selection.svelte";
import { StageView } from "./stage.svelte";
import { Terminals } from "./terminal.svelte";
import { Theme } from "./theme.svelte";
import { World } from "./world.svelte";

/** The workspace for free play. */
export const SANDBOX = "sandbox";

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
  /** What a part of the page wants said aloud, by the one voice. */
  asked = $state.raw<{ text: string } | null>(null);
  /** There is something to see: what the first picture does not need is fetched from here on. */
  settled = $state(false);
  /** Narrow or low: one panel at a time, and the cards of producers and groups stand in the inspector then. */
  phone = $state(false);
  /** Not wide enough for an inspector of its own: it takes the drawer's place while something is inspected. */
  narrow = $state(false);

  constructor(client: Client) {
    // A window at 200 % is as small as a phone that lies on its side.
    follow("(max-width: 700px), (max-width: 1100px) and (max-height: 560px)", (matches) => {
      this.phone = matches;
    });
    follow("(max-width: 900px)", (matches) => {
      this.narrow = matches;
    });
    this.world = new World(client);
    this.stage = new StageView(client);
    this.terminals = new Terminals(client);
    this.world.cliLines((line) => this.terminals.active?.gui(line));
    this.world.frames((frame) => this.stage.see(frame, this.world.plan, performance.now()));
    client.onPush((push) => {
      if (push.push === "snapshot") this.lesson?.see(push.snapshot);
      if (push.push === "layout") this.stage.renew();
      if (push.push === "exit") this.lesson?.ran(this.world.snapshot);
    });
  }

  /** Opens a workspace by its id: the sandbox, a lesson's, or one that is only stored. */
  async openWorkspace(id: string, fresh = false) {
    const found = LESSONS.find((each) => `lesson-${each.slug}` === id);
    this.lesson = found ? new LessonProgress(found.lesson) : null;
    this.learnOpen = found !== undefined;
    this.selection.select(null);
    this.world.did = null;
    this.workspace = id;
    // The sandbox begins with the first lesson's small world.
    const opened = await this.world.open(id, found?.start ?? LESSONS[0]?.start ?? null, fresh);
    this.remember(opened, fresh);
    return opened;
  }

  say(text: string) {
    this.asked = { text };
  }

  async deleteWorkspace(id: string) {
    await this.world.client.deleteWorkspace(id);
    forget(id);
    this.world.forgetMarks(id);
  }

  /** Says so when the browser has lost what this workspace held, and notes once it holds something. */
  private remember({ workspace, restored, owner }: Opened, fresh: boolean) {
    if (!owner || this.world.notices.some(({ code }) => code === "memory")) return;
    if (!restored && !fresh && isKept(workspace)) this.world.tell({ code: "dropped", params: {} });
    if (!restored) forget(workspace);
    // What a frame shows is stored.
    const stop = this.world.frames(({ lanes }) => {
      if (this.workspace === workspace && !lanes.some(({ logEnd }) => logEnd > 0)) return;
      if (this.workspace === workspace) keep(workspace);
      stop();
    });
  }

  /** Selecting a record fills the inspector, and on a phone goes there. */
  inspect(topic: string, partition: number, offset: number) {
    this.selection.select({ topic, partition, offset });
    this.lesson?.inspected(this.world.snapshot);
    if (this.narrow || this.phone) this.panel = "inspect";
  }
}

function follow(query: string, tell: (matches: boolean) => void) {
  const list = matchMedia(query);
  tell(list.matches);
  list.addEventListener("change", (event) => tell(event.matches));
}
