/**
 * A dropped file to lines for a producer: plain text, CSV with a key column, JSON lines with a key field.
 *
 * A file is read in pieces, twice: to see what it holds, and to send it. So neither its size nor the number of
 * its lines is ever in one task, nor in memory.
 */

import Papa from "papaparse";
import type { Line } from "../../engine/rpc";

export const FILE_MIB_MAX = 32;
/** Bytes that are read and parsed in one task. */
const PIECE = 64 << 10;
/** Records that the preview has. */
const PREVIEW = 4;
/** Fields of JSON objects that are offered as keys. */
const COLUMNS_MAX = 50;
/** Characters of one record: a quote that never ends is no CSV. */
const RECORD_MAX = 4 << 20;

export type FileKind = "text" | "csv" | "ndjson";

/** A record as the file has it: its line, or the cells of its row. */
export type Raw = string | string[];

/** What a file holds. */
export interface Table {
  kind: FileKind;
  /** Between the cells of a CSV. */
  separator: string;
  /** Columns of the CSV, fields of the first JSON objects; empty for text. */
  columns: string[];
  count: number;
  first: Raw[];
}

export class Unreadable extends Error {
  constructor(readonly why: "binary" | "unended") {
    super(why);
  }
}

/** Looks through a file, until it is `stopped`. */
export async function survey(file: File, stopped: () => boolean = () => false): Promise<Table> {
  const head = await textOf(file.slice(0, PIECE));
  if (looksBinary(head)) throw new Unreadable("binary");
  const table: Table = { ...kindOf(file.name, head), columns: [], count: 0, first: [] };
  for await (const records of recordsOf(file, table)) {
    if (stopped()) break;
    if (table.kind === "ndjson" && table.columns.length === 0) table.columns = fieldsOf(records);
    if (table.first.length < PREVIEW) table.first.push(...records.slice(0, PREVIEW - table.first.length));
    table.count += records.length;
  }
  return table;
}

/** Reads a file piece by piece; the columns of a CSV are known after the first. */
export async function* recordsOf(file: File, table: Table): AsyncGenerator<Raw[]> {
  const decoder = new TextDecoder();
  let left = "";
  const take = table.kind === "csv" ? csvTaker(table) : takeLines;
  for (let at = 0; at < file.size; at += PIECE) {
    const whole = at + PIECE >= file.size;
    const bytes = await file.slice(at, at + PIECE).arrayBuffer();
    const { records, rest } = take(left + decoder.decode(bytes, { stream: !whole }), whole);
    if (rest.length > RECORD_MAX) throw new Unreadable("unended");
    left = rest;
    yield records;
  }
}

/** How a record becomes what is sent: a row as a JSON object of its cells, a line as it is. */
export function lineMaker(table: Table, key: string | null): (raw: Raw) => Line {
  const names = table.columns.map((name) => JSON.stringify(name));
  const at = key === null ? -1 : table.columns.indexOf(key);
  return (raw) => {
    if (typeof raw === "string") return { key: key === null ? null : fieldOf(raw, key), value: raw };
    const cells = names.map((name, i) => `${name}:${JSON.stringify(raw[i] ?? "")}`);
    return { key: at < 0 ? null : (raw[at] ?? ""), value: `{${cells.join()}}` };
  };
}

/** Bytes that no text holds: then nothing is sent. */
export function looksBinary(text: string): boolean {
  const head = text.slice(0, 4096);
  return head.includes("\0") || head.includes("\ufffd");
}

/** What the file is, by its name and by its first lines. */
function kindOf(name: string, head: string): { kind: FileKind; separator: string } {
  if (/\.tsv$/i.test(name)) return { kind: "csv", separator: "\t" };
  if (/\.csv$/i.test(name)) return { kind: "csv", separator: guessSeparator(head) };
  const lines = head.split(/\r?\n/).filter((line) => line.trim() !== "");
  // The last one may be cut.
  const whole = lines.length > 1 ? lines.slice(0, -1) : lines;
  const json = whole.length > 0 && whole.slice(0, 20).every((line) => objectOf(line) !== null);
  return { kind: json ? "ndjson" : "text", separator: "" };
}

/** Takes records off the front of a text; the rest waits for more of it. */
type Taker = (text: string, whole: boolean) => { records: Raw[]; rest: string };

const takeLines: Taker = (text, whole) => {
  const end = whole ? text.length : text.lastIndexOf("\n") + 1;
  const lines = text.slice(0, end).split(/\r?\n/);
  return { records: lines.filter((line) => line.trim() !== ""), rest: text.slice(end) };
};

function fieldsOf(records: Raw[]): string[] {
  const objects = records.map((record) => (typeof record === "string" ? objectOf(record) : null));
  const fields = new Set(objects.flatMap((object) => Object.keys(object ?? {})));
  return [...fields].slice(0, COLUMNS_MAX);
}

function fieldOf(line: string, name: string): string | null {
  const object = objectOf(line);
  if (!object || !Object.hasOwn(object, name)) return null;
  const value = object[name];
  return typeof value === "string" ? value : JSON.stringify(value);
}

function objectOf(line: string): Record<string, unknown> | null {
  if (!line.trimStart().startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function guessSeparator(text: string): string {
  const head = text.slice(0, text.search(/\r?\n|$/));
  const count = (c: string) => head.split(c).length;
  return count(";") > count(",") ? ";" : ",";
}

/** The first row names the columns. */
function csvTaker(table: Table): Taker {
  let named = false;
  const parser = new Papa.Parser({ delimiter: table.separator, newline: "\n" });
  return (text, whole) => {
    const { data, meta } = parser.parse(text, 0, !whole) as { data: string[][]; meta: { cursor: number } };
    for (const cells of data) {
      // Lines may end as on Windows, all of them or some.
      const last = cells.length - 1;
      if (cells[last]?.endsWith("\r")) cells[last] = cells[last].slice(0, -1);
    }
    const records = data.filter((cells) => cells.length > 1 || cells[0] !== "");
    if (!named && records.length > 0) {
      table.columns = columnsOf(records.shift() ?? []);
      named = true;
    }
    return { records, rest: whole ? "" : text.slice(meta.cursor) };
  };
}

/** Names that tell the columns apart. */
function columnsOf(head: string[]): string[] {
  const names = new Set<string>();
  head.forEach((given, i) => {
    const name = given.trim() || `column ${i + 1}`;
    names.add(names.has(name) ? `${name} ${i + 1}` : name);
  });
  return [...names];
}

/** A piece as text; what is cut at its end is left out. */
async function textOf(blob: Blob): Promise<string> {
  return new TextDecoder().decode(await blob.arrayBuffer(), { stream: true });
}
