/** The language in use. Screens import `words` and nothing else of a language. */

import { clock } from "./clock";
import { en, type Say, type Words } from "./en";

export { clock };

export const words: Words = en;

/** Our words for refusals; until they are there, the worker's own sentences stand. */
let errors: Record<string, Say> = {};

export async function learnErrors() {
  errors = (await import("./en.errors")).errors;
}

export function errorText(error: unknown): string {
  if (error !== null && typeof error === "object" && "code" in error) {
    const { code, message, params } = error as {
      code: string;
      message?: string;
      params?: Record<string, string>;
    };
    return errors[code]?.(params ?? {}) ?? message ?? code;
  }
  return error instanceof Error ? error.message : String(error);
}

/** 12480 -> 00:12 */
export const shortClock = (ms: number) => clock(ms).replace(/\.\d+$/, "");

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
