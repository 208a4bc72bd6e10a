/** A dropped file to lines for a producer: plain text, CSV with a key column, JSON lines with a key field. Pure. */

import type { Line } from "../../engine/rpc";

export const FILE_MIB_MAX = 32;

export type FileKind = "text" | "csv" | "ndjson";

export interface Table {
  kind: FileKind;
  /** Columns of the CSV, fields of the first JSON objects; empty for text. */
  columns: string[];
  /** One per record. For CSV: the cells. */
  rows: { text: string; cells: Record<string, string> | null }[];
}

/** What the file is, by its name and by its first lines. */
export function readFile(name: string, text: string): Table {
  const whole = text.replace(/^\ufeff/, "");
  if (/\.(csv|tsv)$/i.test(name)) return readCsv(whole, /\.tsv$/i.test(name) ? "\t" : guessSeparator(whole));
  const lines = whole.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length > 0 && lines.slice(0, 20).every((line) => objectOf(line) !== null)) return readJson(lines);
  return { kind: "text", columns: [], rows: lines.map((line) => ({ text: line, cells: null })) };
}

export function linesOf(table: Table, key: string | null): Line[] {
  return table.rows.map(({ text, cells }) => ({
    key: key === null ? null : (cells?.[key] ?? null),
    value: text,
  }));
}

/** Bytes that no text holds: then nothing is sent. */
export function looksBinary(text: string): boolean {
  const head = text.slice(0, 4096);
  return head.includes("\0") || head.includes("\ufffd");
}

function readJson(lines: string[]): Table {
  const columns = new Set<string>();
  const rows = lines.map((text) => {
    const object = objectOf(text);
    if (!object) return { text, cells: null };
    const cells: Record<string, string> = Object.create(null);
    for (const [name, value] of Object.entries(object)) {
      cells[name] = typeof value === "string" ? value : JSON.stringify(value);
      if (columns.size < 50) columns.add(name);
    }
    return { text, cells };
  });
  return { kind: "ndjson", columns: [...columns], rows };
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

/** RFC 4180: quotes, doubled quotes, line breaks in quotes. The first row names the columns; the value is a JSON object. */
function readCsv(text: string, separator: string): Table {
  const [head = [], ...body] = csvRows(text, separator);
  const columns = head.map((name, i) => name.trim() || `column ${i + 1}`);
  const rows = body.map((row) => {
    const cells: Record<string, string> = Object.create(null);
    columns.forEach((name, i) => {
      cells[name] = row[i] ?? "";
    });
    return { text: JSON.stringify(cells), cells };
  });
  return { kind: "csv", columns, rows };
}

function csvRows(text: string, separator: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  const endCell = () => {
    row.push(cell);
    cell = "";
  };
  const endRow = () => {
    endCell();
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '"' && text[i + 1] === '"') cell += text[++i];
      else if (c === '"') quoted = false;
      else cell += c;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === separator) endCell();
    else if (c === "\n") endRow();
    else if (c !== "\r") cell += c;
  }
  if (cell !== "" || row.length > 0) endRow();
  return rows;
}
