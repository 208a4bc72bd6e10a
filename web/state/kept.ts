/**
 * Which workspaces hold something, remembered outside the database that holds it: a browser may lose all of
 * a site's databases at once (Chromium does, rarely, when it is killed), and only this tells that from a
 * first visit.
 */

const KEY = "brooklet.kept";

export const isKept = (workspace: string): boolean => read().includes(workspace);

export function keep(workspace: string) {
  if (!isKept(workspace)) write([...read(), workspace]);
}

export function forget(workspace: string) {
  if (isKept(workspace)) write(read().filter((each) => each !== workspace));
}

function read(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}

function write(kept: string[]) {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Storage may be forbidden; then nothing is kept either.
  }
}
