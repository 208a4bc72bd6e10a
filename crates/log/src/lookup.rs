//! Lookups by timestamp.

use crate::chunk::MaxTimestamp;
use crate::log::Log;
use crate::read::LogSlice;
use crate::segment::{Located, Segment};
use ids::{LeaderEpoch, Offset};
use records::Header;

/// One batch of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchAt {
    /// What its header says.
    pub header: Header,
    /// All its bytes.
    pub slice: LogSlice,
}

impl BatchAt {
    /// The epoch it was appended in.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.header.partition_leader_epoch
    }
}

/// What a lookup found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// This batch.
    Batch(BatchAt),
    /// Nothing.
    None,
    /// This chunk must first be loaded and installed; then look again.
    Cold(LogSlice),
}

impl Log {
    /// Finds the first batch at or after `from` whose highest timestamp is at least `timestamp`.
    ///
    /// The record is in that batch, or further on when those before `from` are the only ones that
    /// are late enough: look again from the batch's end.
    #[must_use]
    pub fn offset_for_timestamp(&self, timestamp: i64, from: Offset) -> Lookup {
        let from = from.max(self.start);
        for at in self.segment_index(from)..=self.sealed.len() {
            let segment = self.segment(at);
            if segment.max_timestamp.timestamp < timestamp || segment.end <= from {
                continue;
            }
            match find_timestamp(segment, timestamp, from) {
                Lookup::None => {}
                found => return found,
            }
        }
        Lookup::None
    }

    /// Finds the batch that holds the highest timestamp, the first one of them.
    #[must_use]
    pub fn max_timestamp_offset(&self) -> Lookup {
        let mut max = MaxTimestamp::none(self.start);
        for segment in self.segments() {
            max.note(segment.max_timestamp);
        }
        if max.timestamp < 0 {
            return Lookup::None;
        }
        self.batch_at(max.offset)
    }

    /// Finds the batch that contains `offset`, or the first one after it.
    #[must_use]
    pub fn batch_at(&self, offset: Offset) -> Lookup {
        for at in self.segment_index(offset)..=self.sealed.len() {
            let segment = self.segment(at);
            match segment.locate(offset) {
                Located::End => {}
                Located::Cold(slice) => return Lookup::Cold(slice),
                Located::At { position, .. } => {
                    return header_at(segment, position).map_or(Lookup::None, Lookup::Batch);
                }
            }
        }
        Lookup::None
    }
}

fn find_timestamp(segment: &Segment, timestamp: i64, from: Offset) -> Lookup {
    for at in segment.chunk_of(from)..=segment.chunks.len() {
        let max = match segment.chunks.get(at) {
            Some(chunk) => chunk.max_timestamp,
            None => segment.tail.max_timestamp,
        };
        if max.timestamp < timestamp {
            continue;
        }
        let Some((begin, bytes)) = segment.chunk_bytes(at) else {
            let cold = segment.chunks.get(at);
            return cold.map_or(Lookup::None, |chunk| {
                Lookup::Cold(segment.slice(chunk.position, chunk.length))
            });
        };
        let late = records::Batches::new(bytes)
            .find(|(_, batch)| batch.max_timestamp >= timestamp && batch.last_offset() >= from);
        if let Some((within, batch)) = late {
            return Lookup::Batch(BatchAt {
                header: *batch.header(),
                slice: segment.slice(begin + within, batch.total_size()),
            });
        }
    }
    Lookup::None
}

fn header_at(segment: &Segment, position: u32) -> Option<BatchAt> {
    let (begin, bytes) = segment.chunk_bytes(segment.chunk_at(position))?;
    let header = Header::peek(bytes.get((position - begin) as usize..)?).ok()?;
    Some(BatchAt {
        header,
        slice: segment.slice(position, header.total_size()),
    })
}
