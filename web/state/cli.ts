/** The command line that does what a hand just did; null where Kafka has no tool for it. */

import type { Command } from "../engine/rpc";

const TO = "--bootstrap-server b1:9092";

export function cliOf(command: Command): string | null {
  switch (command.do) {
    case "createTopic": {
      const config = Object.entries(command.topic.config).map(([k, v]) => ` --config ${k}=${v}`);
      return `kafka-topics ${TO} --create --topic ${command.topic.name} --partitions ${command.topic.partitions}${config.join("")}`;
    }
    case "addPartitions":
      return `kafka-topics ${TO} --alter --topic ${command.name} --partitions ${command.partitions}`;
    case "deleteTopic":
      return `kafka-topics ${TO} --delete --topic ${command.name}`;
    case "configureTopic": {
      const set = Object.entries(command.config).filter(([, v]) => v !== null);
      const drop = Object.entries(command.config).filter(([, v]) => v === null);
      const add = set.length > 0 ? ` --add-config ${set.map(([k, v]) => `${k}=${v}`).join(",")}` : "";
      const del = drop.length > 0 ? ` --delete-config ${drop.map(([k]) => k).join(",")}` : "";
      return `kafka-configs ${TO} --alter --entity-type topics --entity-name ${command.name}${add}${del}`;
    }
    case "addGroup": {
      const { groupId, topics, autoOffsetReset } = command.group;
      const from = autoOffsetReset === "earliest" ? " --from-beginning" : "";
      return `kafka-console-consumer ${TO} --topic ${topics[0] ?? "TOPIC"} --group ${groupId}${from}`;
    }
    case "resetOffsets":
      return `kafka-consumer-groups ${TO} --group ${command.groupId} --topic ${command.topic}:${command.partition} --reset-offsets --to-offset ${command.offset} --execute`;
    case "removeGroup":
      return `kafka-consumer-groups ${TO} --delete --group ${command.groupId}`;
    case "addProducer":
      return `kafka-console-producer ${TO} --topic ${command.producer.topic} --command-property acks=${command.producer.acks}`;
    default:
      return null;
  }
}
