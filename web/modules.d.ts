declare module "*.md" {
  const lesson: import("./lessons/parse").Lesson;
  export default lesson;
}

declare module "markdown-it" {
  export default class MarkdownIt {
    constructor(options?: { html?: boolean; linkify?: boolean });
    validateLink: (href: string) => boolean;
    parse(source: string, env: object): unknown[];
    parseInline(source: string, env: object): unknown[];
  }
}
