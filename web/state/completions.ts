/** What Tab can add to a command line: from the tools' own tables, and the names there are. */

import tables from "./tools.json";

/** What an option takes: nothing, anything, a kind of name, or one of these. */
type Takes = null | string | string[];

const TOOLS: Record<string, Record<string, Takes>> = tables.tools;

export interface Names {
  topics: string[];
  groups: string[];
  brokers: number[];
}

export interface Completion {
  /** The line, completed as far as all candidates agree. */
  line: string;
  /** What could stand there, when there is more than one. */
  candidates: string[];
}

/** Completes the last word of a line. */
export function complete(line: string, names: Names): Completion {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? "";
  const { word, candidates, open } = offered(words, last, names);
  const fitting = [...new Set(candidates)].filter((each) => each.startsWith(word)).sort();
  const [first] = fitting;
  if (first === undefined) return { line, candidates: [] };
  const common = fitting.reduce(shared, first);
  const before = line.slice(0, line.length - word.length);
  if (fitting.length > 1) return { line: before + common, candidates: fitting };
  // A name is followed by the next word; what goes on, such as `key.separator=`, is not.
  return { line: before + common + (open || common.endsWith("=") ? "" : " "), candidates: [] };
}

function shared(a: string, b: string): string {
  let n = 0;
  while (n < a.length && a[n] === b[n]) n++;
  return a.slice(0, n);
}

interface Offered {
  /** The part of the last word that is to be completed. */
  word: string;
  candidates: string[];
  /** More may follow without a space. */
  open?: boolean;
}

function offered(words: string[], last: string, names: Names): Offered {
  if (words.length === 1) return tools(last);
  const options = TOOLS[toolOf(words[0] ?? "")];
  if (!options) return { word: last, candidates: [] };
  const [, inline, text] = /^--?([\w-]+)=(.*)$/.exec(last) ?? [];
  const before = /^--?([\w-]+)$/.exec(words.at(-2) ?? "")?.[1];
  const option = inline ?? before;
  const takes = option === undefined ? null : options[option];
  if (takes !== null && takes !== undefined && !(inline === undefined && last.startsWith("--")))
    return values(takes, text ?? last, words, names);
  const dashes = last.startsWith("-") && !last.startsWith("--") && last !== "-" ? "-" : "--";
  return { word: last, candidates: Object.keys(options).map((name) => dashes + name) };
}

/** A tool as it was begun to be named: with a path before it, and with `.sh` behind it. */
function tools(last: string): Offered {
  const word = last.slice(last.lastIndexOf("/") + 1);
  const known = Object.keys(TOOLS);
  const whole = known.find((name) => word.startsWith(`${name}.`));
  return { word, candidates: whole ? [`${whole}.sh`] : known };
}

const toolOf = (word: string) => word.slice(word.lastIndexOf("/") + 1).replace(/\.sh$/, "");

function values(takes: string | string[], word: string, words: string[], names: Names): Offered {
  if (Array.isArray(takes)) return { word, candidates: takes };
  const piece = word.slice(word.lastIndexOf(",") + 1);
  const brokers = names.brokers.map(String);
  const isBroker =
    behind(words, "entity-type") === "brokers" || words.some((each) => /^--?broker/.test(each));
  const configs = isBroker ? tables.brokerConfigs : tables.topicConfigs;
  switch (takes) {
    case "topic":
      return { word, candidates: names.topics };
    case "group":
      return { word, candidates: names.groups };
    case "server":
      return { word, candidates: ["localhost:9092"] };
    case "file":
      return { word, candidates: ["-"] };
    case "broker":
      return { word, candidates: brokers };
    case "entity":
      return { word, candidates: isBroker ? brokers : names.topics };
    case "config":
      return { word, candidates: configs.map((name) => `${name}=`) };
    case "configs":
      return { word: piece, candidates: configs.map((name) => `${name}=`) };
    case "config-names":
      return { word: piece, candidates: configs, open: true };
    default:
      return { word, candidates: [] };
  }
}

/** The value of an option that was given before. */
function behind(words: string[], option: string): string | undefined {
  const at = words.indexOf(`--${option}`);
  return at < 0 ? words.find((each) => each.startsWith(`--${option}=`))?.split("=")[1] : words[at + 1];
}
