/** What happened, and what the page has to say of its own: loaded when there is something to tell. */

import { clock } from "./clock";
import { type Params, plural, type Say } from "./en";

/** What a reload says of the logs that it did not have to cut. */
const rest = (more: number) =>
  more === 0
    ? " History begins here; all other records are there."
    : ` So have the ends of ${plural(more, "other log", "other logs")}. History begins here.`;

export const live = {
  one: (text: string) => `${text}.`,
  withMore: (text: string, n: number) => `${text}, and ${plural(n, "other event", "other events")}.`,
  /** A command has ended: its last line, and of how many. */
  ended: (lines: number, last: string) =>
    lines === 0
      ? "The command has ended."
      : lines === 1
        ? last
        : `${plural(lines, "line", "lines")} of output. Last: ${last}`,
};

export const newerEvents = (n: number) => plural(n, "new event", "new events");

/** Events by code. */
export const events = {
  addProducer: (p) => `Producer ${p.name} added`,
  updateProducer: (p) => `Producer ${p.name} changed`,
  removeProducer: (p) => `Producer ${p.name} removed`,
  send: (p) => `${plural(Number(p.count), "line", "lines")} sent through ${p.name}`,
  createTopic: (p) => `Topic ${p.name} created`,
  configureTopic: (p) => `Topic ${p.name} configured`,
  addPartitions: (p) => `Partitions added to ${p.name}`,
  deleteTopic: (p) => `Topic ${p.name} deleted`,
  addGroup: (p) => `Group ${p.name} added`,
  updateGroup: (p) => `Group ${p.group || p.name} changed`,
  removeGroup: (p) => `Group ${p.group || p.name} removed`,
  killBroker: () => "Broker stopped, as by kill -9",
  startBroker: () => "Broker started",
  fault: () => "Something was broken, or mended",
  addMember: (p) => `Member joined ${p.group}`,
  removeMember: (p) => `Member ${p.name} removed from ${p.group}`,
  seekMember: (p) => `Position of ${p.group} moved`,
  resetOffsets: (p) => `Offsets of ${p.group} reset`,
  rebalance: (p) => `Group ${p.group} rebalances, generation ${p.generation}`,
  "member-timed-out": (p) => `Member ${p.name} of ${p.group} timed out`,
  "segment-rolled": (p) => `New segment of ${p.topic} P${p.partition} at ${p.offset}`,
  "records-deleted": (p) => `Retention removed records of ${p.topic} P${p.partition} below ${p.offset}`,
  "topic-made": (p) =>
    `Topic ${p.name} made by itself: ${p.by || "a client"} ${p.sends ? "sends to" : "asks for"} it`,
  "topic-recreated": (p) =>
    `Topic ${p.name} made again by ${p.by || "a client"}, which still ${p.sends ? "sends to" : "asks for"} it`,
  "store-refused": (p) => `No room for more records of ${p.topic}`,
  "bad-metadata": () => "A record of the metadata log could not be read",
} as Record<string, Say>;

export const eventUnknown = (code: string, p: Params) =>
  [code, ...Object.values(p).filter(Boolean)].join(" ");

export const notices = {
  "not-owner": (p) =>
    `${p.owner || "Another tab"} is using this workspace. This tab takes over as soon as that one is closed.`,
  "took-over": () => "The other tab is gone. This tab runs the workspace now.",
  "lost-ownership": () => "Another tab has taken this workspace over. This one has stopped.",
  quota: (p) =>
    `The browser's storage is full. No more records are accepted until there is room: delete topics or workspaces, which cannot be undone now. Nothing acknowledged is lost.${p.gone ? " What was started over or deleted before is gone for good." : ""}`,
  "storage-lost": (p) =>
    `The connection to the browser's storage was lost (${p.why}). Nothing is acknowledged until it is back.`,
  "storage-back": () => "Storage works again.",
  restarted: (p) =>
    `The broker failed (${p.why}) and was started again from its logs. Nothing acknowledged is lost.`,
  cut: (p) =>
    `${p.log}: ${p.bytes} bytes from position ${p.at} on were damaged (${p.why}) and have been cut.${p.more === undefined ? "" : rest(Number(p.more))}`,
  "history-begins": () => "The page was loaded again: history begins here. The records are all there.",
  "history-trimmed": () => "The oldest part of the history was let go to keep memory small.",
  branched: (p) => `Branched at ${clock(Number(p.at))}. What came after it is kept: Undo leads back to it.`,
  "past-closed": (p) => `Doing something in the past closed ${p.connections} connections from outside.`,
  dropped: () =>
    "The browser has lost everything that this site had stored. It does that rarely, when it is killed. This workspace begins anew.",
  memory: () => "This browser keeps nothing for this page: the records are gone when the tab closes.",
  "memory-full": () =>
    "The memory for the records of this page is full. No more are accepted until a topic or some of its records are deleted; nothing acknowledged is lost.",
  "memory-room": () => "There is room for records again.",
  outdated: () => "A newer version runs in another tab. Reload this one.",
  down: (p) => `The broker does not start: ${p.why}.`,
} as Record<string, Say>;
