// Files: sent once per decision, taken back in one step, and never in the page's place.

import {
  addProducer,
  appended,
  by,
  createTopic,
  dropFile,
  eventually,
  expect,
  open,
  PATIENT,
  snapshot,
  test,
} from "./page.ts";

const LINES = 12_000;
const CSV = `id,note\n${Array.from({ length: LINES }, (_, i) => `${i},"note ${i}"\n`).join("")}`;

test("a double click on Send sends a file once, and undo takes all of it back", async ({ page }) => {
  await open(page);
  await createTopic(page, "files", 1);
  await addProducer(page, "reader", "files");
  await dropFile(page, "reader", "orders.csv", CSV);
  await expect(by(page, "file-sender-apply")).toHaveText(/12/, PATIENT);
  await by(page, "file-sender-apply").dblclick();
  await expect(by(page, "file-sender")).toBeHidden(PATIENT);
  await eventually(page, (s) => appended(s, "files")).toBe(LINES);
  await page.keyboard.press("Control+z");
  await eventually(page, (s) => appended(s, "files")).toBe(0);
  // The producer is still there: only the file was taken back.
  expect((await snapshot(page)).producers.map(({ name }) => name)).toContain("reader");
});

test("a file that is dropped beside a producer leaves the page where it is, and says where it belongs", async ({
  page,
}) => {
  await open(page);
  const before = page.url();
  const taken = await by(page, "stage").evaluate((stage) => {
    const data = new DataTransfer();
    data.items.add(new File(["a\n"], "a.txt"));
    const send = (type: string) =>
      !stage.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    return [send("dragover"), send("drop")];
  });
  // What nobody prevents, the browser does: it opens the file.
  expect(taken).toEqual([true, true]);
  await expect(by(page, "failure")).toContainText("producer");
  expect(page.url()).toBe(before);
});
