//! The frames that clients have sent, as far as someone asked to see them.

use crate::actors::ActorId;
use crate::world::World;
use alloc::collections::VecDeque;
use bytes::Bytes;
use ids::Time;

/// Frames that may be kept; asking for more gives this many.
const FRAMES_MAX: u32 = 100_000;

/// A request as a client has sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentFrame {
    /// When.
    pub at: Time,
    /// Who.
    pub actor: ActorId,
    /// Which API.
    pub api_key: i16,
    /// In which version.
    pub version: i16,
    /// Its size in bytes, without the four bytes of length.
    pub bytes: u32,
}

/// The last so many requests; none unless asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    max: u32,
    kept: VecDeque<SentFrame>,
}

impl Frames {
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    /// A client sends a frame.
    pub(crate) fn note(&mut self, at: Time, actor: ActorId, frame: &Bytes) {
        if self.max == 0 {
            return;
        }
        let Some((api_key, version)) = api_of(frame) else {
            return;
        };
        if self.kept.len() >= self.max as usize {
            self.kept.pop_front();
        }
        self.kept.push_back(SentFrame {
            at,
            actor,
            api_key,
            version,
            bytes: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        });
    }
}

/// API key and version of a request's frame; `None` when it is too short to have them.
pub(crate) fn api_of(frame: &[u8]) -> Option<(i16, i16)> {
    let [a, b, c, d, ..] = *frame else {
        return None;
    };
    Some((i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d])))
}

impl World {
    /// From now on keeps the last `max` requests that clients send, at most 100,000; 0 keeps none.
    pub fn record_frames(&mut self, max: u32) {
        self.state.frames.max = max.min(FRAMES_MAX);
        self.state.frames.clear();
    }

    /// The requests kept since [`World::record_frames`], oldest first.
    pub fn sent_frames(&self) -> impl Iterator<Item = &SentFrame> {
        self.state.frames.kept.iter()
    }
}
