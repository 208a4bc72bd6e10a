//! The file `quorum-state`: what a node may not forget of an election.

use crate::voters::{ReplicaKey, Voters};
use alloc::{format, string::String, vec::Vec};
use ids::{LeaderEpoch, NodeId, Uuid};

/// What a node knows of the latest election: its file says the same, or will before anyone is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Election {
    /// The latest epoch.
    pub epoch: LeaderEpoch,
    /// Who leads in it, if that is known.
    pub leader: Option<NodeId>,
    /// Whom this node has given its vote in it.
    pub voted: Option<ReplicaKey>,
}

impl Election {
    /// The file's bytes. Kafka writes version 1, which knows directories, once `kraft.version` is 1, and
    /// version 0 with the voters' ids before.
    #[must_use]
    pub fn encode(&self, version: i16, voters: &Voters) -> Vec<u8> {
        let leader = self.leader.map_or(-1, |leader| leader.0);
        let voted = self.voted.map_or(-1, |voted| voted.id.0);
        let epoch = self.epoch;
        if version == 0 {
            let ids: Vec<String> = (voters.iter())
                .map(|voter| format!("{{\"voterId\":{}}}", voter.key.id))
                .collect();
            let ids = ids.join(",");
            return format!(
                "{{\"clusterId\":\"\",\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\"appliedOffset\":0,\"currentVoters\":[{ids}],\"data_version\":0}}"
            )
            .into_bytes();
        }
        let directory = self.voted.map_or(Uuid::ZERO, |voted| voted.directory);
        format!(
            "{{\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\"votedDirectoryId\":\"{directory}\",\"data_version\":1}}"
        )
        .into_bytes()
    }

    /// Reads the file in version 0 or 1; `None` when it is neither, or lacks a field.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Election> {
        let text = core::str::from_utf8(bytes).ok()?.trim();
        text.strip_prefix('{')?.strip_suffix('}')?;
        let version = number(text, "data_version")?;
        if !(0..=1).contains(&version) {
            return None;
        }
        let id = |name| number(text, name).map(|id| (id >= 0).then_some(NodeId(id)));
        let directory = match version {
            0 => Uuid::ZERO,
            _ => Uuid::parse(
                field(text, "votedDirectoryId")?
                    .strip_prefix('"')?
                    .split_once('"')?
                    .0,
            )?,
        };
        let epoch = number(text, "leaderEpoch").filter(|epoch| *epoch >= 0)?;
        Some(Election {
            epoch: LeaderEpoch(epoch),
            leader: id("leaderId")?,
            voted: id("votedId")?.map(|id| ReplicaKey { id, directory }),
        })
    }
}

/// What follows a field's name. No string in this file may contain a quote, so a name in quotes is a name.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("\"{name}\""))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn number(text: &str, name: &str) -> Option<i32> {
    let value = field(text, name)?;
    let end = value.find(|c: char| c != '-' && !c.is_ascii_digit())?;
    value.get(..end)?.parse().ok()
}
