/** A handful of Kafka's command lines over the toy broker, enough to build the terminal. */

import type { Command } from "../rpc";
import { highWatermark, type Model } from "./model";

interface Host {
  say(kind: "stdout" | "stderr", text: string): void;
  exit(code: number): void;
  run(command: Command): Promise<void>;
  model(): Model;
}

export function tool(line: string, host: Host) {
  const words = line.trim().split(/\s+/);
  const name = (words[0] ?? "").replace(/\.sh$/, "");
  const flag = (f: string) => (words.includes(f) ? (words[words.indexOf(f) + 1] ?? "") : null);
  const topic = flag("--topic");
  const places = new Map<number, number>();
  let rest = "";
  const done = (code = 0) => host.exit(code);
  const table = (rows: string[][]) => {
    const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
    host.say(
      "stdout",
      `${rows
        .map((row) =>
          row
            .map((c, i) => c.padEnd(widths[i] ?? 0))
            .join("  ")
            .trimEnd(),
        )
        .join("\n")}\n`,
    );
  };
  const starts: Record<string, () => void> = {
    "kafka-topics": () => void topics(host, words, topic, done),
    "kafka-get-offsets": () => {
      for (const t of host.model().topics.values()) {
        if (topic !== null && t.spec.name !== topic) continue;
        t.parts.forEach((part, p) => {
          host.say("stdout", `${t.spec.name}:${p}:${part.end}\n`);
        });
      }
      done();
    },
    "kafka-consumer-groups": () => {
      if (words.includes("--list"))
        host.say("stdout", [...host.model().groups.keys()].map((g) => `${g}\n`).join(""));
      else table(groupRows(host.model(), flag("--group") ?? ""));
      done();
    },
    "kafka-console-producer": () => host.say("stdout", ">"),
    "kafka-console-consumer": () => {
      const from = words.includes("--from-beginning");
      host
        .model()
        .topics.get(topic ?? "")
        ?.parts.forEach((part, p) => {
          places.set(p, from ? part.start : part.end);
        });
    },
  };
  return {
    start() {
      const start = starts[name];
      if (start) return start();
      host.say("stderr", `${name}: command not found\n`);
      done(127);
    },
    input(text: string) {
      rest += text;
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      const model = host.model();
      const producer = [...model.producers.values()].find((p) => p.spec.topic === topic)?.spec.name;
      if (producer)
        void host.run({ do: "send", producer, lines: lines.map((value) => ({ key: null, value })) });
      host.say("stdout", ">".repeat(lines.length));
    },
    eof() {
      // Only what reads its input ends with it.
      if (name === "kafka-console-producer") done();
    },
    interrupt: () => done(130),
    poll(model: Model) {
      for (const [p, at] of places) {
        const part = model.topics.get(topic ?? "")?.parts[p];
        if (!part) continue;
        const hw = highWatermark(model, part);
        for (let o = at; o < hw; o++) host.say("stdout", `${part.recs[o]?.value ?? ""}\n`);
        places.set(p, Math.max(at, hw));
      }
    },
  };
}

async function topics(host: Host, words: string[], topic: string | null, done: (code?: number) => void) {
  const all = [...host.model().topics.values()];
  if (words.includes("--list")) host.say("stdout", all.map((t) => `${t.spec.name}\n`).join(""));
  else if (words.includes("--create") && topic) {
    const partitions = Number(words[words.indexOf("--partitions") + 1] ?? 1) || 1;
    try {
      await host.run({ do: "createTopic", topic: { name: topic, partitions, config: {} } });
      host.say("stdout", `Created topic ${topic}.\n`);
    } catch {
      host.say("stderr", `Error while executing topic command : Topic '${topic}' already exists.\n`);
      return done(1);
    }
  } else {
    for (const t of all.filter((each) => topic === null || each.spec.name === topic)) {
      host.say(
        "stdout",
        `Topic: ${t.spec.name}\tTopicId: ${t.id}\tPartitionCount: ${t.parts.length}\tReplicationFactor: 1\n`,
      );
      t.parts.forEach((_, p) => {
        host.say("stdout", `\tTopic: ${t.spec.name}\tPartition: ${p}\tLeader: 1\tReplicas: 1\tIsr: 1\n`);
      });
    }
  }
  done();
}

function groupRows(model: Model, groupId: string): string[][] {
  const head = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID"];
  const group = model.groups.get(groupId);
  const rows = [...(group?.places ?? [])].map(([where, place]) => {
    const cut = where.lastIndexOf("/");
    const part = model.topics.get(where.slice(0, cut))?.parts[Number(where.slice(cut + 1))];
    const hw = part ? highWatermark(model, part) : 0;
    const owner = group?.spec.members[place.owner]?.name ?? "-";
    return [
      groupId,
      where.slice(0, cut),
      where.slice(cut + 1),
      String(place.committed),
      String(hw),
      String(hw - place.committed),
      owner,
    ];
  });
  return [head, ...rows];
}
