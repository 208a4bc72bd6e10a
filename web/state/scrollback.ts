/** The lines of a terminal, bounded, and the rows they take in a window of a given width. */

export type LineKind = "command" | "out" | "err" | "input" | "gui" | "exit";

export interface Row {
  /** Counts from the first row there ever was. */
  id: number;
  kind: LineKind;
  text: string;
  /** It goes on with the line of the row before. */
  more: boolean;
}

interface Line {
  kind: LineKind;
  text: string;
  /** Its first row. */
  row: number;
}

export const LINES_MAX = 5000;
export const CHARS_MAX = 1_000_000;
/** Longest piece of one line that is kept; the rest is cut off. */
export const LINE_MAX = 4000;

/** What a tool prints are columns, which do not wrap; everything else is prose. */
const wraps = (kind: LineKind) => kind !== "out" && kind !== "input";

export class Scrollback {
  private lines: Line[] = [];
  /** Lines before this one were let go; they are cut off now and then, not one by one. */
  private head = 0;
  private chars = 0;
  private columns = Number.POSITIVE_INFINITY;
  private next = 0;
  trimmed = false;

  get length(): number {
    return this.lines.length - this.head;
  }

  /** The first row kept. */
  get first(): number {
    return this.lines[this.head]?.row ?? this.next;
  }

  /** The row behind the last one. */
  get end(): number {
    return this.next;
  }

  add(kind: LineKind, whole: string) {
    const text = whole.length > LINE_MAX ? whole.slice(0, LINE_MAX) : whole;
    this.lines.push({ kind, text, row: this.next });
    this.next += this.rowsOf(kind, text);
    this.chars += text.length;
    while (this.length > LINES_MAX || this.chars > CHARS_MAX) {
      this.chars -= this.lines[this.head]?.text.length ?? 0;
      this.head++;
      this.trimmed = true;
    }
    if (this.head > LINES_MAX) {
      this.lines.splice(0, this.head);
      this.head = 0;
    }
  }

  clear() {
    this.lines = [];
    this.head = 0;
    this.chars = 0;
    this.trimmed = false;
  }

  /** The window is this many characters wide now. */
  wrapAt(columns: number) {
    const width = Math.max(20, columns);
    if (width === this.columns) return;
    this.columns = width;
    this.lines.splice(0, this.head);
    this.head = 0;
    for (const line of this.lines) {
      line.row = this.next;
      this.next += this.rowsOf(line.kind, line.text);
    }
  }

  /** The rows from one to before another. */
  rows(from: number, to: number): Row[] {
    const found: Row[] = [];
    for (let i = this.lineAt(from); i < this.lines.length; i++) {
      const line = this.lines[i];
      if (!line || line.row >= to) break;
      const pieces = this.pieces(line.kind, line.text);
      pieces.forEach((text, n) => {
        const id = line.row + n;
        if (id >= from && id < to) found.push({ id, kind: line.kind, text, more: n > 0 });
      });
    }
    return found;
  }

  /** All of it, as text. */
  text(): string {
    return this.lines
      .slice(this.head)
      .map((line) => `${line.text}\n`)
      .join("");
  }

  /** The line that a row belongs to. */
  private lineAt(row: number): number {
    let [low, high] = [this.head, this.lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.lines[middle]?.row ?? 0) <= row) low = middle + 1;
      else high = middle;
    }
    return Math.max(this.head, low - 1);
  }

  private rowsOf(kind: LineKind, text: string): number {
    const short = !wraps(kind) || text.length <= this.columns;
    return short ? 1 : this.pieces(kind, text).length;
  }

  private pieces(kind: LineKind, text: string): string[] {
    if (!wraps(kind) || text.length <= this.columns) return [text];
    let rest = [...text];
    const pieces: string[] = [];
    while (rest.length > this.columns) {
      // Behind a word where there is one, else in the middle of it.
      const space = rest.lastIndexOf(" ", this.columns - 1) + 1;
      const cut = space > this.columns / 2 ? space : this.columns;
      pieces.push(rest.slice(0, cut).join(""));
      rest = rest.slice(cut);
    }
    if (rest.length > 0) pieces.push(rest.join(""));
    return pieces;
  }
}
