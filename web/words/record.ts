/** The words of an inspected record, in the language in use. */

export { record } from "./en.record";
