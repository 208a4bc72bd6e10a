/** The words for what happened, in the language in use. */

export { events, eventUnknown, live, notices } from "./en.telling";
