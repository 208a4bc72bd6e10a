/** The words of a terminal: loaded with it. */

import { plural } from "./en";

export const terminal = {
  prompt: "$",
  input: "Command line",
  stdinInput: "Input of the running command",
  interrupt: "Ctrl+C",
  endInput: "Ctrl+D",
  copyAll: "Copy all",
  copied: "Copied",
  log: "Output",
  hello:
    "Kafka's own commands run here, and Tab completes them. Try: kafka-topics --list. There are no files: where an option wants one, give - and type or paste its text, then Ctrl+D.",
  exit: (code: number) => `exit ${code}`,
  ended: {
    undone: "This command has ended: the world was taken back to a moment before it began.",
    replaced: "This command has ended: its world was replaced by another.",
    restarted: "This command has ended: the world was started again.",
  },
  trimmed: "… older output was let go",
  paused: "The world is paused. This command goes on when time does.",
  waiting: (n: number) => `${plural(n, "more line waits", "more lines wait")} for this command to end.`,
  tooLong: "More than 1 MB was pasted at once: nothing was taken.",
};

export const newer = (n: number) => plural(n, "new line", "new lines");
