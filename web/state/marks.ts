/**
 * Which symbol a group has: the same one for as long as it lives, on its card, in the lanes, in words and after
 * a reload, whatever other groups come and go. The first group of a scenario is ▲.
 */

export const SHAPES = ["▲", "◆", "●", "■", "▼", "★", "✚", "▬"] as const;

const KEY = "brooklet.marks.";

/** The letter that tells groups of the same shape apart; none for the first eight. */
export function letterOf(mark: number): string {
  const round = Math.floor(mark / SHAPES.length);
  return round === 0 ? "" : String.fromCodePoint(96 + Math.min(round, 26));
}

/** A group's symbol in a text. */
export const markText = (mark: number) => `${SHAPES[mark % SHAPES.length]}${letterOf(mark)}`;

/** Without the symbol that a text begins with. */
export const unmarked = (text: string) =>
  SHAPES.some((shape) => text.startsWith(shape)) ? text.slice(1).trimStart() : text;

export class Marks {
  /** By group, those that were gone first in front: a symbol is given to another group last of all. */
  private numbers = new Map<string, number>();
  private workspace = "";

  /** A workspace is opened; `first` are the groups it begins with, in their order, when it is new. */
  open(workspace: string, first: string[], fresh: boolean) {
    this.workspace = workspace;
    this.numbers = new Map(fresh ? [] : read(workspace));
    for (const group of first) this.give(group, first);
    this.write();
  }

  /** These groups are there now; each one that is new gets a symbol that no other one has. */
  see(groups: string[]) {
    let changed = false;
    for (const group of groups) {
      const mark = this.numbers.get(group);
      if (mark === undefined) {
        this.give(group, groups);
        changed = true;
      } else {
        this.numbers.delete(group);
        this.numbers.set(group, mark);
      }
    }
    if (changed) this.write();
  }

  of(group: string): number {
    return this.numbers.get(group) ?? 0;
  }

  private give(group: string, alive: string[]) {
    if (this.numbers.has(group)) return;
    const taken = new Set(this.numbers.values());
    let mark = 0;
    while (taken.has(mark)) mark++;
    if (mark >= SHAPES.length) {
      // A plain shape that only a group had that is gone is better than one more letter.
      for (const [old, its] of this.numbers) {
        if (alive.includes(old)) continue;
        this.numbers.delete(old);
        mark = its;
        break;
      }
    }
    this.numbers.set(group, mark);
  }

  private write() {
    try {
      localStorage.setItem(KEY + this.workspace, JSON.stringify([...this.numbers]));
    } catch {
      // Storage may be forbidden: the symbols live as long as the page.
    }
  }
}

function read(workspace: string): [string, number][] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY + workspace) ?? "[]");
    const isPair = (each: unknown): each is [string, number] =>
      Array.isArray(each) && typeof each[0] === "string" && Number.isSafeInteger(each[1]) && each[1] >= 0;
    return Array.isArray(kept) ? kept.filter(isPair) : [];
  } catch {
    return [];
  }
}
