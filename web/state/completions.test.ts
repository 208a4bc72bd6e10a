import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { complete } from "./completions";
import tables from "./tools.json";

const NAMES = { topics: ["orders", "orders-eu", "payments"], groups: ["billing"], brokers: [1, 2] };
const at = (line: string) => complete(line, NAMES);

test("every tool of the README completes, with and without .sh and a path", () => {
  const readme = readFileSync("README.md", "utf8");
  const named = [...new Set([...readme.matchAll(/`(kafka-[a-z-]+)`/g)].map((match) => match[1] ?? ""))];
  expect(named.length).toBeGreaterThan(6);
  for (const tool of named) {
    expect(at(tool.slice(0, -1)).line.startsWith(tool), tool).toBe(true);
    for (const written of [tool, `${tool}.sh`, `bin/${tool}.sh`]) {
      expect(at(`${written} --bootstrap-s`).line, written).toBe(`${written} --bootstrap-server `);
      expect(at(`${written} `).candidates, written).toContain("--help");
    }
    expect(at(`${tool}.s`).line).toBe(`${tool}.sh `);
  }
  expect(at("bin/kafka-get").line).toBe("bin/kafka-get-offsets ");
});

test("every option of every tool completes", () => {
  for (const [tool, options] of Object.entries(tables.tools)) {
    for (const option of Object.keys(options)) {
      const { line, candidates } = at(`${tool} --${option}`);
      const found = candidates.length > 0 ? candidates : [line.slice(tool.length + 1, -1)];
      expect(found, `${tool} --${option}`).toContain(`--${option}`);
    }
  }
});

test("names and values complete where they are known", () => {
  expect(at("kafka-topics --topic pay").line).toBe("kafka-topics --topic payments ");
  expect(at("kafka-topics --topic=pay").line).toBe("kafka-topics --topic=payments ");
  expect(at("kafka-topics --topic o")).toEqual({
    line: "kafka-topics --topic orders",
    candidates: ["orders", "orders-eu"],
  });
  expect(at("kafka-consumer-groups --group ").line).toBe("kafka-consumer-groups --group billing ");
  expect(at("kafka-configs --entity-type t").line).toBe("kafka-configs --entity-type topics ");
  expect(at("kafka-configs --entity-type topics --entity-name p").line).toMatch(/payments $/);
  expect(at("kafka-configs --entity-type brokers --entity-name ").candidates).toEqual(["1", "2"]);
  expect(at("kafka-configs --entity-type topics --add-config retention.m").line).toMatch(/retention\.ms=$/);
  expect(at("kafka-configs --add-config cleanup.policy=compact,retention.m").line).toMatch(
    /,retention\.ms=$/,
  );
  expect(at("kafka-configs --delete-config a.b,retention.m").line).toMatch(/,retention\.ms$/);
  expect(at("kafka-console-producer --request-required-acks ").candidates).toEqual(["-1", "0", "1", "all"]);
  expect(at("kafka-console-producer --reader-property parse.k").line).toMatch(/parse\.key=$/);
  expect(at("kafka-console-consumer --isolation-level read_c").line).toMatch(/read_committed $/);
  expect(at("kafka-delete-records --offset-json-file ").line).toBe(
    "kafka-delete-records --offset-json-file - ",
  );
});

test("where nothing is known, nothing is offered", () => {
  const nothing = (line: string) => expect(at(line)).toEqual({ line, candidates: [] });
  nothing("ls ");
  nothing("kafka-topics --partitions ");
  nothing("kafka-topics --topic unknown");
});
