/** World time as a clock shows it. */

/** 12480 -> 00:12.480 */
export function clock(ms: number): string {
  const whole = Math.max(0, Math.floor(ms));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3_600_000);
  const rest = `${two(Math.floor(whole / 60_000) % 60)}:${two(Math.floor(whole / 1000) % 60)}.${String(whole % 1000).padStart(3, "0")}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
