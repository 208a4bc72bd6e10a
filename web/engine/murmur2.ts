/** Kafka's murmur2 of a key's bytes, as a signed 32-bit number (the default partitioner, seed 0x9747b28c). */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  const word = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let h = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(word.getInt32(i, true), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = data.length & 3;
  if (rest === 3) h ^= word.getUint8(whole + 2) << 16;
  if (rest >= 2) h ^= word.getUint8(whole + 1) << 8;
  if (rest >= 1) h = Math.imul(h ^ word.getUint8(whole), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}
