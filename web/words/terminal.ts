/** The words of a terminal, in the language in use. */

export { newer, terminal } from "./en.terminal";
