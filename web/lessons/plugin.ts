/** Vite: `import lesson from "./01-…/index.md"` gives the parsed lesson, as data. */

import type { Plugin } from "vite";
import { parseLesson } from "./parse.ts";

export function lessons(): Plugin {
  return {
    name: "brooklet-lessons",
    enforce: "pre",
    transform(source, id) {
      if (!/\/web\/lessons\/[^?]+\.md$/.test(id)) return null;
      return { code: `export default ${JSON.stringify(parseLesson(source))}`, map: null };
    },
  };
}
