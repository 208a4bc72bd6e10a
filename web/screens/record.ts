/** A record's bytes as something to read: decoded, pretty, bounded, with odd characters marked. Pure. */

import type { Span } from "../engine/rpc";

export const SHOWN_MAX = 8000;

export interface Shown {
  text: string;
  /** Characters left out. */
  more: number;
  /** Holds characters that change the direction of text, or controls: shown as their code points. */
  odd: boolean;
  binary: boolean;
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** UTF-8 if it is that, JSON laid out if it is that, else hex. */
export function show(base64: string, pretty: boolean): Shown {
  const bytes = bytesOf(base64);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const hex = Array.from(bytes.subarray(0, SHOWN_MAX / 3), hexByte).join(" ");
    return {
      text: hex,
      more: Math.max(0, bytes.length - Math.floor(SHOWN_MAX / 3)),
      odd: false,
      binary: true,
    };
  }
  if (pretty && text.length <= SHOWN_MAX) text = laidOut(text);
  const more = Math.max(0, text.length - SHOWN_MAX);
  const marked = text
    .slice(0, SHOWN_MAX)
    .replace(ODD, (c) => `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
  return { text: marked, more, odd: marked.length !== Math.min(text.length, SHOWN_MAX), binary: false };
}

/** Controls but tab and newline, and what turns text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function laidOut(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    // Numbers that a double cannot hold would change: then it stays as it came.
    if (/\d{16,}/.test(text)) return text;
    return JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}

export function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** The field each byte belongs to, as an index into `spans`; -1 where none does. */
export function fieldOfBytes(length: number, spans: Span[]): Int32Array {
  const fields = new Int32Array(length).fill(-1);
  for (const [i, span] of spans.entries()) fields.fill(i, span.start, span.end);
  return fields;
}
