/**
 * A lesson from Markdown, as a tree of plain objects. Runs while the page is built: what is shipped is data,
 * rendered as elements and text, never as markup.
 *
 * Links name things:  [▲ billing](group:billing)   [high watermark](mark:hw)
 *                     [4](knob:producer.checkout.rate_0..100)   [Kafka](https://…)
 */

import MarkdownIt from "markdown-it";
import { type Comparison, parseCondition } from "./conditions.ts";

export type Inline =
  | { is: "text"; text: string }
  | { is: "strong"; of: Inline[] }
  | { is: "em"; of: Inline[] }
  | { is: "code"; text: string }
  | { is: "ref"; group?: string; mark?: "hw" | "slot"; of: Inline[] }
  | { is: "knob"; of: Knob }
  | { is: "link"; href: string; of: Inline[] };

export interface Knob {
  actor: "producer" | "group";
  name: string;
  least: number;
  most: number;
  start: number;
}

export type Block =
  | { is: "p"; of: Inline[] }
  | { is: "h"; of: Inline[] }
  | { is: "list"; items: Inline[][] }
  | { is: "check"; id: string; when: Comparison[]; of: Inline[] };

export interface Lesson {
  title: string;
  minutes: number;
  blocks: Block[];
}

interface Token {
  type: string;
  content: string;
  info: string;
  children: Token[] | null;
  attrGet(name: string): string | null;
}

export function parseLesson(source: string): Lesson {
  const front = /^---\n([\s\S]*?)\n---\n/.exec(source);
  if (!front) throw new Error("a lesson begins with its title between --- lines");
  const fields = new Map((front[1] ?? "").split("\n").map((line) => split(line)));
  const title = fields.get("title");
  if (!title) throw new Error("a lesson needs a title");
  const md = markdown();
  const tokens = md.parse(source.slice(front[0].length), {}) as unknown as Token[];
  return { title, minutes: Number(fields.get("minutes") ?? 5), blocks: blocksOf(md, tokens) };
}

function markdown() {
  const md = new MarkdownIt({ html: false, linkify: false });
  md.validateLink = (href: string) => /^(https:|group:|mark:|knob:)/.test(href);
  return md;
}

function blocksOf(md: MarkdownIt, tokens: Token[]): Block[] {
  const blocks: Block[] = [];
  let items: Inline[][] | null = null;
  let around: "p" | "h" = "p";
  for (const token of tokens) {
    if (token.type === "heading_open") around = "h";
    else if (token.type === "paragraph_open") around = "p";
    else if (token.type.endsWith("list_open")) items = [];
    else if (token.type.endsWith("list_close") && items) {
      blocks.push({ is: "list", items });
      items = null;
    } else if (token.type === "inline") {
      const of = inlines(token.children ?? []);
      if (items) items.push(of);
      else blocks.push({ is: around, of });
    } else if (token.type === "fence" && token.info.trim() === "check") {
      blocks.push(check(md, token.content, blocks.filter((b) => b.is === "check").length));
    } else if (!/_(open|close)$/.test(token.type)) throw new Error(`a lesson cannot hold: ${token.type}`);
  }
  return blocks;
}

function check(md: MarkdownIt, content: string, index: number): Block {
  const [head = "", text = ""] = content.split(/^---$/m);
  const [name, condition] = split(head.trim());
  if (name !== "when") throw new Error("a check begins with when: …");
  const tokens = md.parseInline(text.trim(), {}) as unknown as Token[];
  return {
    is: "check",
    id: `check-${index + 1}`,
    when: parseCondition(condition),
    of: inlines(tokens[0]?.children ?? []),
  };
}

function inlines(tokens: Token[]): Inline[] {
  const stack: Inline[][] = [[]];
  const hrefs: string[] = [];
  const put = (inline: Inline) => stack.at(-1)?.push(inline);
  for (const token of tokens) {
    switch (token.type) {
      case "text":
        if (token.content !== "") put({ is: "text", text: token.content });
        break;
      case "softbreak":
        put({ is: "text", text: " " });
        break;
      case "code_inline":
        put({ is: "code", text: token.content });
        break;
      case "link_open":
        hrefs.push(decodeURIComponent(token.attrGet("href") ?? ""));
        stack.push([]);
        break;
      case "strong_open":
      case "em_open":
        stack.push([]);
        break;
      case "strong_close":
      case "em_close": {
        const of = stack.pop() ?? [];
        put({ is: token.type === "em_close" ? "em" : "strong", of });
        break;
      }
      case "link_close": {
        const of = stack.pop() ?? [];
        put(link(hrefs.pop() ?? "", of));
        break;
      }
      default:
        throw new Error(`a lesson cannot hold: ${token.type}`);
    }
  }
  return stack[0] ?? [];
}

function link(href: string, of: Inline[]): Inline {
  const [scheme, rest] = split(href);
  if (scheme === "group") return { is: "ref", group: rest, of };
  if (scheme === "mark" && (rest === "hw" || rest === "slot")) return { is: "ref", mark: rest, of };
  const knob = /^(producer|group)\.([\w.-]+)\.rate_(\d+)\.\.(\d+)$/.exec(rest);
  if (scheme === "knob" && knob) {
    const [, actor, name = "", least, most] = knob;
    const start = Number(of[0]?.is === "text" ? of[0].text : 0);
    return {
      is: "knob",
      of: { actor: actor as Knob["actor"], name, least: Number(least), most: Number(most), start },
    };
  }
  if (scheme === "https") return { is: "link", href, of };
  throw new Error(`a lesson cannot link to ${href}`);
}

function split(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}
