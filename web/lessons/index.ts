/** The lessons there are, in order. */

import type { Scenario } from "../engine/rpc";
import first from "./01-a-log-remembers/index.md";
import firstStart from "./01-a-log-remembers/start.json";
import type { Lesson } from "./parse";

export const LESSONS: { slug: string; lesson: Lesson; start: Scenario }[] = [
  { slug: "01-a-log-remembers", lesson: first, start: firstStart as unknown as Scenario },
];
