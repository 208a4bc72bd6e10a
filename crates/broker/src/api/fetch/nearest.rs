//! Which replica a consumer had better read from (KIP-392).

use super::{Ask, FOLLOWERS_FROM, Wanted};
use crate::broker::Broker;
use crate::replicas::Replica;
use ids::NodeId;

impl Broker {
    /// The follower in a consumer's rack that it is sent to, if this leader chooses by racks and is not there
    /// itself.
    pub(super) fn nearest(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        version: i16,
        replica: &Replica,
    ) -> Option<NodeId> {
        let chooses = self.limits.chooses_by_rack && version >= FOLLOWERS_FROM;
        if !chooses || ask.is_follower() || ask.rack.is_empty() {
            return None;
        }
        let is_near = |node: NodeId| {
            let entry = self.image.brokers().get(&node);
            let rack = entry.filter(|entry| !entry.fenced)?.rack.as_deref()?;
            Some(*rack == *ask.rack)
        };
        if is_near(self.config.node) == Some(true) {
            return None;
        }
        replica.nearest(wanted.offset, |node| is_near(node) == Some(true))
    }
}
