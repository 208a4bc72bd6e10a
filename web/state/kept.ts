/**
 * What the page remembers outside the database that holds its worlds.
 *
 * Which workspaces hold something: a browser may lose all of a site's databases at once (Chromium does, rarely,
 * when it is killed), and only this tells that from a first visit. Which one was open last. And which checks of a
 * lesson are done, for each world apart, so that they go with the world and come back with it.
 */

const KEPT = "brooklet.kept";
const LAST = "brooklet.last";
const DONE = "brooklet.done";

/** Worlds whose checks are remembered. */
const WORLDS_MAX = 50;

export const isKept = (workspace: string): boolean => kept().includes(workspace);

export function keep(workspace: string) {
  if (!isKept(workspace)) write(KEPT, [...kept(), workspace]);
}

export function forget(workspace: string) {
  if (isKept(workspace))
    write(
      KEPT,
      kept().filter((each) => each !== workspace),
    );
}

export function lastOpened(): string | null {
  const last = read(LAST);
  return typeof last === "string" ? last : null;
}

export const openedLast = (workspace: string | null) => write(LAST, workspace);

export const doneIn = (world: string): string[] => strings(worlds().find(([each]) => each === world)?.[1]);

export function keepDone(world: string, done: Iterable<string>) {
  const others = worlds().filter(([each]) => each !== world);
  write(DONE, [...others, [world, [...done]]].slice(-WORLDS_MAX));
}

const kept = () => strings(read(KEPT));

const worlds = (): unknown[][] => {
  const all = read(DONE);
  return Array.isArray(all) ? all.filter(Array.isArray) : [];
};

const strings = (list: unknown): string[] =>
  Array.isArray(list) ? list.filter((each) => typeof each === "string") : [];

function read(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function write(key: string, value: unknown) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage may be forbidden; then nothing is kept either.
  }
}
