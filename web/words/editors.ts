/** The words of the editors, in the language in use. */

export { edit, file } from "./en.editors";
