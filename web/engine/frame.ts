/**
 * One frame: what the stage shows at one moment, as one transferable buffer, at most 60 times a second.
 *
 * Little-endian; every section starts at a multiple of 8. Sections: header, lanes, producers, then
 * markers, cells and times wherever the lane says.
 *
 *   header 64 bytes
 *      0 u32 magic 0x31575642 ("BVW1")     4 u32 layout id
 *      8 f64 world time, ms               16 f64 journal length
 *     24 u32 decade                       28 u32 lanes
 *     32 u32 producers                    36 u32 reserved
 *     40 u32 flags: 1 running, 2 looking at the past
 *     44 u32 reserved                     48 f64 speed          56 f64 reserved
 *   lane 64 bytes each, in the order of the layout
 *      0 f64 log start offset              8 f64 high watermark
 *     16 f64 log end offset               24 f64 first offset of the window, a multiple of 10^decade
 *     32 u32 cells                        36 u32 where the cells are
 *     40 f32 appended per second          44 f32 fetched per second
 *     48 u32 markers                      52 u32 where the markers are
 *     56 u32 where the times are, 0 = none  60 u32 reserved
 *   producer 16 bytes each: 0 f64 sent in all, 8 f32 sent per second, 12 u32 reserved
 *   marker 32 bytes each, by group:
 *      0 u32 group  4 u32 member index + 1, 0 = nobody owns the partition
 *      8 f64 position, -1 = none  16 f64 committed, -1 = none
 *     24 f32 handled per second  28 u32 reserved
 *   cells, decade 0: one byte per record, its key class: 0 no key; 1..=252 number of the key in its topic by first
 *     appearance, wrapping; 254 there, but its batch is not in memory; 255 no record at this offset
 *   cells, decade 1..4: 8 x u16 per cell, records by hue: [0] no key, [1..=6] class by (class - 1) % 6 + 1, [7] unknown
 *   times: f64 per cell, timestamp of its first record, NaN = none
 */

export const MAGIC = 0x31575642;
export const HEADER = 64;
export const LANE = 64;
export const PRODUCER = 16;
export const MARKER = 32;
export const CLASS_NONE = 0;
export const CLASS_COLD = 254;
export const CLASS_GAP = 255;
export const HUES = 6;

export interface Marker {
  group: number;
  member: number;
  position: number;
  committed: number;
  rate: number;
}

export interface LaneView {
  logStart: number;
  highWatermark: number;
  logEnd: number;
  first: number;
  cells: number;
  /** Key class per record; empty when decade > 0. */
  classes: Uint8Array;
  /** 8 counts per cell; empty when decade = 0. */
  mix: Uint16Array;
  times: Float64Array | null;
  appendRate: number;
  fetchRate: number;
  markers: Marker[];
}

export interface FrameView {
  layout: number;
  worldTime: number;
  journalLength: number;
  decade: number;
  running: boolean;
  past: boolean;
  speed: number;
  lanes: LaneView[];
  producers: { sent: number; rate: number }[];
}

/** The hue (1..=6) of a key class, 0 for none. */
export function hueOf(keyClass: number): number {
  return keyClass === CLASS_NONE || keyClass >= CLASS_COLD ? 0 : ((keyClass - 1) % HUES) + 1;
}

/** Reads a frame; cells stay views into the buffer. Throws on anything that is not a whole frame. */
export function readFrame(buffer: ArrayBuffer): FrameView {
  const d = new DataView(buffer);
  if (d.byteLength < HEADER || d.getUint32(0, true) !== MAGIC) throw new RangeError("not a frame");
  const decade = d.getUint32(24, true);
  const flags = d.getUint32(40, true);
  const [lanes, producers] = [d.getUint32(28, true), d.getUint32(32, true)];
  const producersAt = HEADER + lanes * LANE;
  return {
    layout: d.getUint32(4, true),
    worldTime: d.getFloat64(8, true),
    journalLength: d.getFloat64(16, true),
    decade,
    running: (flags & 1) !== 0,
    past: (flags & 2) !== 0,
    speed: d.getFloat64(48, true),
    lanes: times(lanes, (i) => readLane(d, HEADER + i * LANE, decade)),
    producers: times(producers, (i) => readProducer(d, producersAt + i * PRODUCER)),
  };
}

function readLane(d: DataView, at: number, decade: number): LaneView {
  const cells = d.getUint32(at + 32, true);
  const cellsAt = d.getUint32(at + 36, true);
  const markersAt = d.getUint32(at + 52, true);
  const timesAt = d.getUint32(at + 56, true);
  return {
    logStart: d.getFloat64(at, true),
    highWatermark: d.getFloat64(at + 8, true),
    logEnd: d.getFloat64(at + 16, true),
    first: d.getFloat64(at + 24, true),
    cells,
    classes: decade === 0 ? new Uint8Array(d.buffer as ArrayBuffer, cellsAt, cells) : new Uint8Array(0),
    mix: decade === 0 ? new Uint16Array(0) : new Uint16Array(d.buffer as ArrayBuffer, cellsAt, cells * 8),
    times: timesAt === 0 ? null : new Float64Array(d.buffer as ArrayBuffer, timesAt, cells),
    appendRate: d.getFloat32(at + 40, true),
    fetchRate: d.getFloat32(at + 44, true),
    markers: times(d.getUint32(at + 48, true), (i) => readMarker(d, markersAt + i * MARKER)),
  };
}

function readMarker(d: DataView, at: number): Marker {
  return {
    group: d.getUint32(at, true),
    member: d.getUint32(at + 4, true),
    position: d.getFloat64(at + 8, true),
    committed: d.getFloat64(at + 16, true),
    rate: d.getFloat32(at + 24, true),
  };
}

function readProducer(d: DataView, at: number) {
  return { sent: d.getFloat64(at, true), rate: d.getFloat32(at + 8, true) };
}

/** Packs a frame, byte for byte what `readFrame` reads. The worker's Rust does the same; this one serves the
 *  development engine and the tests. */
export function writeFrame(f: FrameView): ArrayBuffer {
  const align = (n: number) => (n + 7) & ~7;
  const width = f.decade === 0 ? 1 : 16;
  let size = HEADER + f.lanes.length * LANE + f.producers.length * PRODUCER;
  const places = f.lanes.map((lane) => {
    const markers = size;
    const cells = markers + lane.markers.length * MARKER;
    const timesAt = align(cells + lane.cells * width);
    size = timesAt + (lane.times === null ? 0 : lane.cells * 8);
    return { markers, cells, times: lane.times === null ? 0 : timesAt };
  });
  const buffer = new ArrayBuffer(size);
  const d = new DataView(buffer);
  const head = [MAGIC, f.layout];
  head.forEach((v, i) => {
    d.setUint32(i * 4, v, true);
  });
  d.setFloat64(8, f.worldTime, true);
  d.setFloat64(16, f.journalLength, true);
  [f.decade, f.lanes.length, f.producers.length].forEach((v, i) => {
    d.setUint32(24 + i * 4, v, true);
  });
  d.setUint32(40, (f.running ? 1 : 0) | (f.past ? 2 : 0), true);
  d.setFloat64(48, f.speed, true);
  f.lanes.forEach((lane, i) => {
    const place = places[i];
    if (place) writeLane(d, HEADER + i * LANE, lane, place);
  });
  let at = HEADER + f.lanes.length * LANE;
  for (const p of f.producers) {
    d.setFloat64(at, p.sent, true);
    d.setFloat32(at + 8, p.rate, true);
    at += PRODUCER;
  }
  return buffer;
}

function writeLane(
  d: DataView,
  at: number,
  lane: LaneView,
  to: { markers: number; cells: number; times: number },
) {
  [lane.logStart, lane.highWatermark, lane.logEnd, lane.first].forEach((v, i) => {
    d.setFloat64(at + i * 8, v, true);
  });
  d.setUint32(at + 32, lane.cells, true);
  d.setUint32(at + 36, to.cells, true);
  d.setFloat32(at + 40, lane.appendRate, true);
  d.setFloat32(at + 44, lane.fetchRate, true);
  d.setUint32(at + 48, lane.markers.length, true);
  d.setUint32(at + 52, to.markers, true);
  d.setUint32(at + 56, to.times, true);
  lane.markers.forEach((m, i) => {
    const p = to.markers + i * MARKER;
    d.setUint32(p, m.group, true);
    d.setUint32(p + 4, m.member, true);
    d.setFloat64(p + 8, m.position, true);
    d.setFloat64(p + 16, m.committed, true);
    d.setFloat32(p + 24, m.rate, true);
  });
  new Uint8Array(d.buffer as ArrayBuffer, to.cells, lane.classes.length).set(lane.classes);
  if (lane.mix.length > 0) new Uint16Array(d.buffer as ArrayBuffer, to.cells, lane.mix.length).set(lane.mix);
  if (lane.times) new Float64Array(d.buffer as ArrayBuffer, to.times, lane.times.length).set(lane.times);
}

function times<T>(n: number, make: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => make(i));
}
