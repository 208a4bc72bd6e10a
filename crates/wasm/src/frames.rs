//! One frame in bytes, as `web/engine/frame.ts` describes and reads it.

/// "BVW1".
const MAGIC: u32 = 0x3157_5642;
const HEADER: usize = 64;
const LANE: usize = 64;
const PRODUCER: usize = 16;
const MARKER: usize = 32;

/// What one frame shows.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) layout: u32,
    pub(crate) world_time: f64,
    pub(crate) journal: u64,
    pub(crate) running: bool,
    pub(crate) past: bool,
    pub(crate) speed: f64,
    pub(crate) lanes: Vec<LaneView>,
    pub(crate) producers: Vec<ProducerView>,
}

/// One lane of a frame.
#[derive(Default)]
pub(crate) struct LaneView {
    pub(crate) start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) end: i64,
    pub(crate) first: i64,
    /// A cell holds 10^`decade` records.
    pub(crate) decade: u32,
    pub(crate) cells: u32,
    /// As they go into the frame: a byte a cell, or eight 16-bit numbers.
    pub(crate) bytes: Vec<u8>,
    pub(crate) times: Option<Vec<f64>>,
    pub(crate) appended: f32,
    pub(crate) fetched: f32,
    pub(crate) markers: Vec<Marker>,
}

/// Where a group is in a lane.
#[derive(Clone, Copy)]
pub(crate) struct Marker {
    pub(crate) group: u32,
    /// Index of the member plus 1; 0 is nobody.
    pub(crate) member: u32,
    pub(crate) position: f64,
    pub(crate) committed: f64,
    pub(crate) rate: f32,
}

/// One producer of a frame.
#[derive(Clone, Copy)]
pub(crate) struct ProducerView {
    pub(crate) sent: u64,
    pub(crate) rate: f32,
}

/// Bytes written from front to back; every number is little-endian, as the page reads them.
struct Out(Vec<u8>);

#[allow(
    clippy::little_endian_bytes,
    reason = "JavaScript's typed arrays are little-endian on every machine"
)]
impl Out {
    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn f32(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
    }
}

impl Frame {
    /// The frame's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Out(Vec::new());
        self.header(&mut out);
        let mut at = HEADER + self.lanes.len() * LANE + self.producers.len() * PRODUCER;
        for lane in &self.lanes {
            at = lane.head(&mut out, at);
        }
        for producer in &self.producers {
            out.f64(producer.sent as f64);
            out.f32(producer.rate);
            out.u32(0);
        }
        for lane in &self.lanes {
            lane.body(&mut out);
        }
        out.0
    }

    fn header(&self, out: &mut Out) {
        out.u32(MAGIC);
        out.u32(self.layout);
        out.f64(self.world_time);
        out.f64(self.journal as f64);
        out.u32(0);
        out.u32(self.lanes.len() as u32);
        out.u32(self.producers.len() as u32);
        out.u32(0);
        out.u32(u32::from(self.running) | u32::from(self.past) << 1);
        out.u32(0);
        out.f64(self.speed);
        out.f64(0.0);
    }
}

impl LaneView {
    /// Where markers, cells and times lie when the markers are at `at`, and what follows them.
    fn places(&self, at: usize) -> (usize, usize, usize) {
        let cells = at + self.markers.len() * MARKER;
        let times = (cells + self.bytes.len()).next_multiple_of(8);
        let count = self.times.as_ref().map_or(0, Vec::len);
        (cells, times, times + count * 8)
    }

    fn head(&self, out: &mut Out, at: usize) -> usize {
        let (cells, times, end) = self.places(at);
        for offset in [self.start, self.high_watermark, self.end, self.first] {
            out.f64(offset as f64);
        }
        out.u32(self.cells);
        out.u32(cells as u32);
        out.f32(self.appended);
        out.f32(self.fetched);
        out.u32(self.markers.len() as u32);
        out.u32(at as u32);
        out.u32(if self.times.is_some() {
            times as u32
        } else {
            0
        });
        out.u32(self.decade);
        end
    }

    fn body(&self, out: &mut Out) {
        for marker in &self.markers {
            out.u32(marker.group);
            out.u32(marker.member);
            out.f64(marker.position);
            out.f64(marker.committed);
            out.f32(marker.rate);
            out.u32(0);
        }
        out.0.extend_from_slice(&self.bytes);
        out.align();
        for time in self.times.iter().flatten() {
            out.f64(*time);
        }
    }
}
