/** Refusals by Kafka's error name or our own code; fetched behind the first picture. */

import type { Say } from "./en";

export const errors = {
  TOPIC_ALREADY_EXISTS: (p) => `A topic named ${p.topic ?? "like this"} already exists.`,
  INVALID_TOPIC_EXCEPTION: () =>
    "A topic name has only letters, digits, '.', '_' and '-', and at most 249 of them.",
  INVALID_PARTITIONS: () => "The number of partitions can only grow.",
  UNKNOWN_TOPIC_OR_PARTITION: (p) => `There is no topic ${p.topic ?? "of this name"}.`,
  NON_EMPTY_GROUP: (p) => `Kafka refuses this while members of ${p.group ?? "the group"} are active.`,
  "name-taken": (p) => `${p.name} is taken. Choose another name.`,
  "unknown-name": (p) => `${p.name} is not there any more.`,
  "no-owner": () => "No member owns this partition right now.",
  "future-too-large": () =>
    "More came after this moment than can be kept. Go back to now to change something.",
  restarted: () => "The broker was restarted while it worked on this. Try again.",
  trap: () => "The broker failed while it worked on this.",
  required: () => "Give it a name.",
} as Record<string, Say>;
