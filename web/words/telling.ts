/** The words for what happened, in the language in use. */

export { events, eventUnknown, live, newerEvents, notices } from "./en.telling";
