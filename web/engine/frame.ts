/**
 * One frame: what the stage shows at one moment, as one transferable buffer, at most 60 times a second.
 *
 * Little-endian; every section starts at a multiple of 8. Sections: header, lanes, producers, then
 * markers, cells and times wherever the lane says.
 *
 *   header 64 bytes
 *      0 u32 magic 0x31575642 ("BVW1")     4 u32 layout id
 *      8 f64 world time, ms               16 f64 journal length
 *     24 u32 reserved                     28 u32 lanes
 *     32 u32 producers                    36 u32 reserved
 *     40 u32 flags: 1 running, 2 looking at the past
 *     44 u32 reserved                     48 f64 speed          56 f64 reserved
 *   lane 64 bytes each, in the order of the layout
 *      0 f64 log start offset              8 f64 high watermark
 *     16 f64 log end offset               24 f64 first offset of the window, a multiple of 10^its decade
 *     32 u32 cells                        36 u32 where the cells are
 *     40 f32 appended per second          44 f32 fetched per second
 *     48 u32 markers                      52 u32 where the markers are
 *     56 u32 where the times are, 0 = none  60 u32 decade: a cell holds 10^decade records
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
  /** A cell holds 10^decade records. */
  decade: number;
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
  const flags = d.getUint32(40, true);
  const [lanes, producers] = [d.getUint32(28, true), d.getUint32(32, true)];
  const producersAt = HEADER + lanes * LANE;
  return {
    layout: d.getUint32(4, true),
    worldTime: d.getFloat64(8, true),
    journalLength: d.getFloat64(16, true),
    running: (flags & 1) !== 0,
    past: (flags & 2) !== 0,
    speed: d.getFloat64(48, true),
    lanes: times(lanes, (i) => readLane(d, HEADER + i * LANE)),
    producers: times(producers, (i) => readProducer(d, producersAt + i * PRODUCER)),
  };
}

function readLane(d: DataView, at: number): LaneView {
  const decade = d.getUint32(at + 60, true);
  const cells = d.getUint32(at + 32, true);
  const cellsAt = d.getUint32(at + 36, true);
  const markersAt = d.getUint32(at + 52, true);
  const timesAt = d.getUint32(at + 56, true);
  return {
    logStart: d.getFloat64(at, true),
    highWatermark: d.getFloat64(at + 8, true),
    logEnd: d.getFloat64(at + 16, true),
    first: d.getFloat64(at + 24, true),
    decade,
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

function times<T>(n: number, make: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => make(i));
}
