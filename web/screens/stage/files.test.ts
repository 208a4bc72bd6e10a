import { expect, test } from "vitest";
import { linesOf, looksBinary, readFile } from "./files";

test("each line of a text is a record without a key; empty lines are none", () => {
  const table = readFile("notes.txt", "first\r\n\nsecond line\n");
  expect(table.kind).toBe("text");
  expect(linesOf(table, null)).toEqual([
    { key: null, value: "first" },
    { key: null, value: "second line" },
  ]);
});

test("a CSV row becomes an object, keyed by the chosen column", () => {
  const table = readFile("orders.csv", '\ufeffid,name,"note"\n7,"Ann, Bo","say ""hi""\nthere"\n8,Cy,\n');
  expect(table.columns).toEqual(["id", "name", "note"]);
  expect(linesOf(table, "id")).toEqual([
    { key: "7", value: '{"id":"7","name":"Ann, Bo","note":"say \\"hi\\"\\nthere"}' },
    { key: "8", value: '{"id":"8","name":"Cy","note":""}' },
  ]);
});

test("a CSV may use semicolons, and a column may be called __proto__", () => {
  const table = readFile("a.csv", "__proto__;b\n1;2\n");
  expect(linesOf(table, "__proto__")).toEqual([{ key: "1", value: '{"__proto__":"1","b":"2"}' }]);
});

test("JSON lines keep their text and give a field as the key", () => {
  const table = readFile("events", '{"user": "ann", "n": 1}\n{"n": 2}\n{"user": {"id": 3}}\n');
  expect(table.kind).toBe("ndjson");
  expect(linesOf(table, "user").map((line) => line.key)).toEqual(["ann", null, '{"id":3}']);
  expect(linesOf(table, null)[0]?.value).toBe('{"user": "ann", "n": 1}');
});

test("what is no text is recognised", () => {
  expect(looksBinary("PK\u0003\u0004\0\0")).toBe(true);
  expect(looksBinary("日志 ✓")).toBe(false);
});
