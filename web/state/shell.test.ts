import { beforeEach, expect, test } from "vitest";
import type { Client } from "../engine/client";
import type { Push } from "../engine/rpc";
import { Shell } from "./shell.svelte";
import { Terminal } from "./terminal.svelte";

/** A worker that starts what it is told to, and takes notes. */
function engine() {
  const calls: string[] = [];
  const listeners = new Set<(push: Push) => void>();
  let next = 1;
  const client = {
    spawn: async (line: string) => {
      calls.push(`spawn ${line}`);
      return next++;
    },
    stdin: async (id: number, text: string) => void calls.push(`stdin ${id} ${JSON.stringify(text)}`),
    eof: async (id: number) => void calls.push(`eof ${id}`),
    signal: async (id: number) => void calls.push(`signal ${id}`),
    onPush(listen: (push: Push) => void) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
  };
  const push = (each: Push) => {
    for (const listen of listeners) listen(each);
  };
  return { calls, push, client: client as unknown as Client };
}

let [world, terminal, shell] = start();
function start() {
  const world = engine();
  const terminal = new Terminal(world.client);
  const shell = new Shell(terminal);
  terminal.shell = shell;
  return [world, terminal, shell] as const;
}

beforeEach(() => {
  [world, terminal, shell] = start();
});

const settle = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
const lines = () => shell.log.rows(shell.log.first, shell.log.end).map((row) => row.text);
async function run(line: string) {
  shell.draft = line;
  shell.submit();
  await settle();
}

test("pasted lines run one after another, each when the one before has ended", async () => {
  shell.draft = "kafka-topics ";
  expect(shell.paste("--list\nkafka-groups --list\r\nkafka-get-off", 13, 13)).toBe(true);
  await settle();
  expect(world.calls).toEqual(["spawn kafka-topics --list"]);
  expect(shell.draft).toBe("kafka-get-off");
  expect(shell.waiting).toBe(1);
  world.push({ push: "exit", id: 1, code: 0 });
  await settle();
  expect(world.calls[1]).toBe("spawn kafka-groups --list");
  expect(shell.waiting).toBe(0);
  world.push({ push: "exit", id: 2, code: 0 });
  await settle();
  expect(world.calls).toHaveLength(2);
});

test("lines pasted into a running command are its lines", async () => {
  await run("kafka-console-producer --topic t");
  world.push({ push: "stdout", id: 1, text: ">" });
  await settle();
  shell.paste("one\ntwo\nthree", 0, 0);
  await settle();
  expect(world.calls.slice(1)).toEqual(['stdin 1 "one\\ntwo\\n"']);
  expect(shell.draft).toBe("three");
  // The tool prompts for each line; no prompt stands there twice.
  world.push({ push: "stdout", id: 1, text: ">" });
  world.push({ push: "stdout", id: 1, text: ">" });
  await settle();
  expect(lines()).toEqual(["$ kafka-console-producer --topic t", ">one", ">two"]);
  expect(shell.partial).toBe(">");
});

test("a paste that starts a command which prompts goes on as its lines", async () => {
  shell.paste("kafka-console-producer --topic t\nhello\nworld\n", 0, 0);
  await settle();
  expect(world.calls).toHaveLength(1);
  world.push({ push: "stdout", id: 1, text: ">" });
  await settle();
  expect(world.calls[1]).toBe('stdin 1 "hello\\nworld\\n"');
  expect(shell.waiting).toBe(0);
});

test("what stands in the input when it ends is its last line", async () => {
  await run("kafka-delete-records --offset-json-file -");
  world.push({ push: "stdout", id: 1, text: ">" });
  await settle();
  shell.paste("{\n}", 0, 0);
  shell.endInput();
  await settle();
  expect(world.calls.slice(1)).toEqual(['stdin 1 "{\\n"', 'stdin 1 "}"', "eof 1"]);
  expect(shell.draft).toBe("");
});

test("one pasted line is left to the input", () => {
  expect(shell.paste("kafka-topics", 0, 0)).toBe(false);
});

test("Ctrl+C gives up what waits, also before the command has a number", async () => {
  shell.paste("kafka-console-consumer --topic t\nkafka-topics --list\n", 0, 0);
  shell.interrupt();
  await settle();
  expect(world.calls).toEqual(["spawn kafka-console-consumer --topic t", "signal 1"]);
  world.push({ push: "exit", id: 1, code: 130 });
  await settle();
  expect(world.calls).toHaveLength(2);
});

test("what is half typed survives the history, and so does what was changed in it", async () => {
  for (const line of ["first", "second"]) {
    await run(line);
    world.push({ push: "exit", id: line === "first" ? 1 : 2, code: 0 });
  }
  shell.draft = "half ty";
  shell.recall(-1);
  expect(shell.draft).toBe("second");
  shell.draft = "second, changed";
  shell.recall(-1);
  shell.recall(-1);
  expect(shell.draft).toBe("first");
  shell.recall(1);
  expect(shell.draft).toBe("second, changed");
  shell.recall(1);
  shell.recall(1);
  expect(shell.draft).toBe("half ty");
});

test("a command says why it ended when its world did", async () => {
  for (const [id, why] of ["undone", "replaced", "restarted"].entries()) {
    await run("kafka-console-consumer --topic t");
    world.push({ push: "stdout", id: id + 1, text: "record\n" });
    world.push({ push: "exit", id: id + 1, code: 0, why: why as "undone" });
    await settle();
    expect(terminal.running).toBe(null);
    expect(lines().at(-2)).toBe("record");
    expect(lines().at(-1)).toMatch(/This command has ended: /);
  }
  expect(new Set(lines().filter((line) => line.startsWith("This"))).size).toBe(3);
});

test("a worker that was started again ends what ran in the old one, and what waited for it", async () => {
  shell.paste("kafka-console-consumer --topic t\nkafka-topics --delete --topic t\n", 0, 0);
  await settle();
  world.push({ push: "notice", notice: { code: "restarted", params: {} } });
  await settle();
  expect(terminal.running).toBe(null);
  expect(lines().at(-1)).toMatch(/started again/);
  expect(world.calls).toHaveLength(1);
});

test("what a command printed is said to ears once, when it has ended, however soon that is", async () => {
  await run("kafka-topics --list");
  world.push({ push: "stdout", id: 1, text: "orders\n" });
  expect(terminal.news).toBe(null);
  world.push({ push: "exit", id: 1, code: 0 });
  expect(terminal.news?.text).toBe("orders");
});

test("what others started is not shown", async () => {
  await run("kafka-topics --list");
  world.push({ push: "stdout", id: 99, text: "not mine\n" });
  world.push({ push: "exit", id: 99, code: 1 });
  await settle();
  expect(terminal.running).toBe(1);
  world.push({ push: "exit", id: 1, code: 0 });
  world.push({ push: "stdout", id: 1, text: "late\n" });
  await settle();
  expect(lines()).toEqual(["$ kafka-topics --list"]);
});

test("a terminal that is closed interrupts its command, also one that has only been asked for", async () => {
  await run("kafka-console-consumer --topic t");
  terminal.close();
  expect(world.calls.at(-1)).toBe("signal 1");
  [world, terminal, shell] = start();
  shell.draft = "kafka-console-consumer --topic t";
  shell.submit();
  terminal.close();
  await settle();
  expect(world.calls).toEqual(["spawn kafka-console-consumer --topic t", "signal 1"]);
});

test("output that comes faster than pictures is shown once per picture", async () => {
  await run("kafka-console-consumer --topic t");
  const before = shell.version;
  for (let i = 0; i < 1000; i++) world.push({ push: "stdout", id: 1, text: `${i}\nhal` });
  expect(shell.version).toBe(before);
  await settle();
  expect(shell.version).toBe(before + 1);
  expect(shell.log.length).toBe(1001);
  expect(lines().at(-1)).toBe("hal999");
  expect(shell.partial).toBe("hal");
});

test("what was done by hand before the terminal was shown stands in it", () => {
  const other = new Terminal(world.client);
  other.gui("kafka-topics --create --topic t");
  const late = new Shell(other);
  expect(late.log.text()).toBe("kafka-topics --create --topic t\n");
});
