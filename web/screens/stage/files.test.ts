// @vitest-environment node
import { expect, test } from "vitest";
import { type FileKind, lineMaker, looksBinary, recordsOf, survey } from "./files";

const file = (name: string, content: string | Uint8Array<ArrayBuffer>) => new File([content], name);

/** All of a file's lines, as they are sent. */
async function linesOf(given: File, key: string | null) {
  const table = await survey(given);
  const lines = [];
  for await (const records of recordsOf(given, table)) lines.push(...records.map(lineMaker(table, key)));
  expect(lines.length).toBe(table.count);
  return lines;
}

test("each line of a text is a record without a key; empty lines are none", async () => {
  const notes = file("notes.txt", "first\r\n\nsecond line\n");
  expect((await survey(notes)).kind).toBe("text");
  expect(await linesOf(notes, null)).toEqual([
    { key: null, value: "first" },
    { key: null, value: "second line" },
  ]);
});

test("a CSV row becomes an object, keyed by the chosen column", async () => {
  const orders = file("orders.csv", '\ufeffid,name,"note"\r\n7,"Ann, Bo","say ""hi""\nthere"\r\n8,Cy,\r\n');
  expect((await survey(orders)).columns).toEqual(["id", "name", "note"]);
  expect(await linesOf(orders, "id")).toEqual([
    { key: "7", value: '{"id":"7","name":"Ann, Bo","note":"say \\"hi\\"\\nthere"}' },
    { key: "8", value: '{"id":"8","name":"Cy","note":""}' },
  ]);
});

test("a CSV may use semicolons or tabs, and a column may be called __proto__", async () => {
  expect(await linesOf(file("a.csv", "__proto__;b\n1;2\n"), "__proto__")).toEqual([
    { key: "1", value: '{"__proto__":"1","b":"2"}' },
  ]);
  expect(await linesOf(file("a.tsv", 'a\tb\n"x\ty"\t2'), "b")).toEqual([
    { key: "2", value: '{"a":"x\\ty","b":"2"}' },
  ]);
});

test("JSON lines keep their text and give a field as the key", async () => {
  const events = file("events", '{"user": "ann", "n": 1}\n{"n": 2}\n{"user": {"id": 3}}\n');
  const table = await survey(events);
  expect([table.kind, table.columns]).toEqual(["ndjson", ["user", "n"]]);
  expect((await linesOf(events, "user")).map((line) => line.key)).toEqual(["ann", null, '{"id":3}']);
  expect((await linesOf(events, null))[0]?.value).toBe('{"user": "ann", "n": 1}');
});

test("what is no text is recognised", async () => {
  expect(looksBinary("PK\u0003\u0004\0\0")).toBe(true);
  expect(looksBinary("日志 ✓")).toBe(false);
  await expect(survey(file("a.zip", Uint8Array.from([80, 75, 3, 4, 0, 0])))).rejects.toMatchObject({
    why: "binary",
  });
});

test("a quote that never ends is said, and not searched for again and again", async () => {
  const broken = file("a.csv", `a,b\n1,"${"x,\n".repeat(2_000_000)}`);
  await expect(survey(broken)).rejects.toMatchObject({ why: "unended" });
});

/** The longest that anything else had to wait while this was done. */
async function longestWait(work: Promise<unknown>): Promise<number> {
  let [longest, last, over] = [0, performance.now(), false];
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!over) setTimeout(look, 0);
  };
  setTimeout(look, 0);
  await work;
  over = true;
  return longest;
}

test.each<[FileKind, string, string, string]>([
  ["csv", "big.csv", "id,name,note\n", '12345,"Größe, ✓","a ""quoted"" note\nin two lines"\n'],
  ["ndjson", "big.json", "", '{"id":12345,"name":"Größe, ✓","note":"a note of some length"}\n'],
  ["text", "big.txt", "", "a line of text, Größe ✓, of some length, and nothing else at all\n"],
])(
  "a long %s is read in pieces, character by character whole, and the page stays alive",
  async (kind, name, head, row) => {
    const size = new TextEncoder().encode(row).length;
    const count = Math.floor((8 << 20) / size) - 1;
    const big = file(name, head + row.repeat(count));
    let broken = 0;
    let seen = 0;
    const work = (async () => {
      const table = await survey(big);
      expect([table.kind, table.count]).toEqual([kind, count]);
      for await (const records of recordsOf(big, table)) {
        const lines = records.map(lineMaker(table, table.columns[0] ?? null));
        seen += lines.length;
        broken += lines.filter(({ value }) => !value.includes("Größe") || value !== lines[0]?.value).length;
      }
    })();
    const longest = await longestWait(work);
    expect([seen, broken]).toEqual([count, 0]);
    // Pieces are as long as their bytes, not as the file: 50 ms of an idle machine, and this one is not.
    expect(longest).toBeLessThan(250);
  },
  120_000,
);
