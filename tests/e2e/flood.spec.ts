// Output that comes faster than anyone reads it: the page stays quick, and Ctrl+C is heard at once.

import { by, expect, open, PATIENT, test, type } from "./page.ts";

test("a consumer that reads 500 records a second does not hold up the page, and Ctrl+C ends it at once", async ({
  page,
}) => {
  await open(page);
  await page.evaluate(() => window.brooklet.cli("kafka-topics --create --topic flood --partitions 1"));
  await by(page, "edit-producer-checkout").click();
  await by(page, "producer-editor-topic").selectOption("flood");
  await by(page, "producer-editor-rate").fill("500");
  await by(page, "producer-editor-apply").click();
  await type(page, "kafka-console-consumer --topic flood --from-beginning");
  await expect(by(page, "terminal-log")).toContainText("customer", PATIENT);
  // Fifteen seconds of it, as frames: how long each took.
  const slow = await page.evaluate(async () => {
    const began = performance.now();
    let [last, longest, frames] = [began, 0, 0];
    while (performance.now() - began < 15_000) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      frames++;
    }
    return { longest, perSecond: frames / 15 };
  });
  console.log(`flood: longest frame ${Math.round(slow.longest)} ms, ${slow.perSecond.toFixed(0)} frames/s`);
  expect(slow.longest).toBeLessThan(1_000);
  const pressed = Date.now();
  await by(page, "terminal-input").press("Control+c");
  await expect(by(page, "terminal-interrupt")).toBeHidden({ timeout: 5_000 });
  console.log(`flood: Ctrl+C took ${Date.now() - pressed} ms`);
});

test("a script that does not read is held back, and gets everything in order when it does", async ({
  page,
}) => {
  await open(page);
  const read = await page.evaluate(async () => {
    const { brooklet } = window;
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i}`.padStart(40, "."));
    await brooklet.cli("kafka-console-producer --topic much", `${lines.join("\n")}\n`);
    const running = brooklet.spawn(
      "kafka-console-consumer --topic much --from-beginning --max-messages 20000",
    );
    const reader = running.stdout.getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    return { same: text === `${lines.join("\n")}\n`, code: await running.done };
  });
  expect(read).toEqual({ same: true, code: 0 });
});
