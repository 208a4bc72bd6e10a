/** Kafka's retention.ms, in words. */

import { words } from "../../words";

export function retentionText(ms: string): string {
  const n = Number(ms);
  if (n < 0) return words.spans.forever;
  if (n >= 86_400_000 && n % 86_400_000 === 0) return words.spans.days(n / 86_400_000);
  if (n >= 60_000 && n % 60_000 === 0 && n > 60_000) return words.spans.minutes(n / 60_000);
  return words.spans.seconds(n / 1000);
}

export const RETENTIONS = ["-1", "10000", "30000", "60000", "600000", "3600000", "604800000"];
