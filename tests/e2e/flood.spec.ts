// Output that comes faster than anyone reads it: the page stays quick, and Ctrl+C is heard at once.

import { ALONE, by, committed, eventually, expect, open, PATIENT, snapshot, test, type } from "./page.ts";

test("a consumer that reads 500 records a second does not hold up the page, and Ctrl+C ends it at once", {
  tag: ALONE,
}, async ({ page }) => {
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

test("a command whose output a script does not read is held back, and nothing of it is lost", {
  tag: ALONE,
}, async ({ page }) => {
  test.setTimeout(120_000);
  await open(page);
  const lines = 60_000;
  await page.evaluate(async (count) => {
    const text = Array.from({ length: count }, (_, i) => `${i}`.padStart(60, ".")).join("\n");
    await window.brooklet.cli("kafka-topics --create --topic much --partitions 1");
    await window.brooklet.cli("kafka-console-producer --topic much", `${text}\n`);
    const line = `kafka-console-consumer --topic much --group slow --from-beginning --max-messages ${count}`;
    (window as unknown as { slow: unknown }).slow = window.brooklet.spawn(line);
    await window.brooklet.speed(5);
  }, lines);
  await eventually(page, (s) => committed(s, "slow")).toBeGreaterThan(0);
  const then = await snapshot(page);
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(Number(then.worldTime) + 20_000);
  expect(committed(await snapshot(page), "slow")).toBeLessThan(lines);
  const read = await page.evaluate(async (count) => {
    const running = (window as unknown as { slow: ReturnType<typeof window.brooklet.spawn> }).slow;
    const reader = running.stdout.getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    const all = Array.from({ length: count }, (_, i) => `${i}`.padStart(60, ".")).join("\n");
    return { same: text === `${all}\n`, code: await running.done };
  }, lines);
  expect(read).toEqual({ same: true, code: 0 });
});
