/** The words of the editors and of what is asked for, in the language in use. */

export { edit, file, more, workspaces } from "./en.editors";
