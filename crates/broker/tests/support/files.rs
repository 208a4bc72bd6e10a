//! The files of one log, as its orders make them.

use ids::Offset;
use log::{Log, LogFile, LogSlice, StoreOp};
use std::collections::BTreeMap;

/// Segments by their base offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    segments: BTreeMap<Offset, Vec<u8>>,
}

impl Files {
    pub(crate) fn obey(&mut self, log: &Log, ops: &[StoreOp]) {
        for op in ops {
            match op {
                StoreOp::Roll { segment } => {
                    self.segments.insert(*segment, Vec::new());
                }
                StoreOp::Append {
                    segment,
                    position,
                    length,
                } => {
                    let slice = LogSlice {
                        segment: *segment,
                        position: *position,
                        length: *length,
                    };
                    let bytes = log.slice_pieces(&slice).unwrap().concat();
                    let file = self.segments.get_mut(segment).unwrap();
                    assert_eq!(file.len(), *position as usize, "an append is at the end");
                    file.extend(bytes);
                }
                StoreOp::Truncate { segment, position } => {
                    let file = self.segments.get_mut(segment).unwrap();
                    file.truncate(*position as usize);
                }
                StoreOp::Delete {
                    file: LogFile::Log(segment),
                } => {
                    self.segments.remove(segment);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn read(&self, slice: &LogSlice) -> Vec<u8> {
        let at = slice.position as usize;
        self.segments[&slice.segment][at..at + slice.length as usize].to_vec()
    }

    /// All segments, one after the other.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.segments.values().flatten().copied().collect()
    }
}
