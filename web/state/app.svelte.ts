/** The page's state, one object, made once. */

import type { Client } from "../engine/client";
import type { Opened } from "../engine/rpc";
import { LESSONS } from "../lessons";
import { errorText } from "../words";
import { doneIn, forget, isKept, keep, keepDone, lastOpened, openedLast } from "./kept";
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
      if (push.push === "opened") this.begun(push.opened);
      if (push.push === "snapshot") this.lesson?.see(push.snapshot);
      if (push.push === "layout") this.stage.renew();
      if (push.push === "exit" && push.why === undefined) this.lesson?.ran(this.world.snapshot);
      if (push.push === "rewound") this.lesson?.rewound(push.to);
    });
  }

  /** Opens a workspace by its id: the sandbox, a lesson's, or one that is only stored. */
  async openWorkspace(id: string) {
    const found = lessonOf(id);
    this.lesson = found ? new LessonProgress(found.lesson) : null;
    this.learnOpen = found !== undefined;
    this.selection.select(null);
    this.world.did = null;
    this.workspace = id;
    openedLast(id);
    // The sandbox begins with the first lesson's small world.
    return this.world.open(id, found?.start ?? LESSONS[0]?.start ?? null);
  }

  /** Begins the workspace anew. What it held is kept, and undo leads back to it. */
  async startOver() {
    const kept = isKept(this.workspace);
    forget(this.workspace);
    try {
      await this.world.startOver();
    } catch (why) {
      if (kept) keep(this.workspace);
      this.failure = errorText(why);
    }
  }

  async deleteWorkspace(id: string) {
    await this.world.client.deleteWorkspace(id);
    forget(id);
    if (lastOpened() === id) openedLast(null);
  }

  async undeleteWorkspace(id: string) {
    await this.world.client.undeleteWorkspace(id);
    keep(id);
  }

  /** Another world is open: what was remembered of it counts. Says so when the browser has lost what the workspace
      held, and notes once it holds something. */
  private begun({ workspace, world, restored }: Opened) {
    const found = lessonOf(workspace);
    this.selection.select(null);
    if (!restored) keepDone(world, []);
    if (found) this.lesson = new LessonProgress(found.lesson, doneIn(world), (done) => keepDone(world, done));
    if (this.world.notices.some(({ code }) => code === "memory")) return;
    if (!restored && isKept(workspace)) this.world.tell({ code: "dropped", params: {} });
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

const lessonOf = (workspace: string) => LESSONS.find(({ slug }) => `lesson-${slug}` === workspace);

/** What the address says of a workspace. */
export function addressOf(workspace: string): string {
  const found = lessonOf(workspace);
  if (workspace === SANDBOX) return "?free";
  return found ? `?lesson=${found.slug}` : `?workspace=${encodeURIComponent(workspace)}`;
}

/** Which workspace the address asks for: `?lesson=01-…` that lesson, `?lesson=none` and `?free` the sandbox. Without
    a wish it is what was open last; a newcomer begins with the first lesson. */
export function wanted(query: URLSearchParams): string {
  const slug = query.get("lesson");
  const asked = query.get("workspace") ?? (slug === null ? null : `lesson-${slug}`);
  if (query.has("free") || (slug !== null && !lessonOf(`lesson-${slug}`))) return SANDBOX;
  return asked ?? lastOpened() ?? `lesson-${LESSONS[0]?.slug}`;
}

function follow(query: string, tell: (matches: boolean) => void) {
  const list = matchMedia(query);
  tell(list.matches);
  list.addEventListener("change", (event) => tell(event.matches));
}
