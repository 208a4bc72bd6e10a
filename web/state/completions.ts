/** What Tab can add to a command line. */

const COMMANDS = [
  "kafka-topics",
  "kafka-console-producer",
  "kafka-console-consumer",
  "kafka-consumer-groups",
  "kafka-get-offsets",
  "kafka-configs",
] as const;

/** Everything that could stand at the end of the line, given the names there are. */
export function completions(line: string, topics: string[], groups: string[]): string[] {
  const words = line.split(/\s+/);
  const last = words.at(-1) ?? "";
  const before = words.at(-2) ?? "";
  const from = (list: readonly string[]) => list.filter((each) => each.startsWith(last) && each !== last);
  if (words.length === 1) return from(COMMANDS);
  if (before === "--topic") return from(topics);
  if (before === "--group") return from(groups);
  if (before === "--bootstrap-server") return from(["b1:9092"]);
  if (last.startsWith("-")) return from(FLAGS[(words[0] ?? "").replace(/\.sh$/, "")] ?? []);
  return [];
}

const FLAGS: Record<string, string[]> = {
  "kafka-topics": [
    "--bootstrap-server",
    "--list",
    "--describe",
    "--create",
    "--alter",
    "--delete",
    "--topic",
    "--partitions",
    "--config",
  ],
  "kafka-console-producer": [
    "--bootstrap-server",
    "--topic",
    "--reader-property",
    "--command-property",
    "--compression-codec",
  ],
  "kafka-console-consumer": [
    "--bootstrap-server",
    "--topic",
    "--from-beginning",
    "--group",
    "--partition",
    "--offset",
    "--max-messages",
    "--formatter-property",
  ],
  "kafka-consumer-groups": [
    "--bootstrap-server",
    "--list",
    "--describe",
    "--group",
    "--reset-offsets",
    "--to-earliest",
    "--to-latest",
    "--to-offset",
    "--topic",
    "--execute",
    "--delete",
  ],
  "kafka-get-offsets": ["--bootstrap-server", "--topic", "--time", "--partitions"],
  "kafka-configs": [
    "--bootstrap-server",
    "--alter",
    "--describe",
    "--entity-type",
    "--entity-name",
    "--add-config",
    "--delete-config",
  ],
};
