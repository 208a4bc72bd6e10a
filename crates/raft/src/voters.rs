//! Who votes.

use alloc::vec::Vec;
use ids::{NodeId, Uuid};
use wire::voters_record::{self, VotersRecord};
use wire::{Message, Reader, Str};

/// Voters that a record may name; no sensible quorum comes near.
const MAX_VOTERS: usize = 64;

/// A node with the directory that its log lies in: a node that lost its disk is another replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplicaKey {
    /// The node.
    pub id: NodeId,
    /// Its directory; all zeros where it is not known.
    pub directory: Uuid,
}

impl ReplicaKey {
    /// Whether both may be the same replica: a directory that is not known contradicts none.
    #[must_use]
    pub fn may_be(&self, other: &ReplicaKey) -> bool {
        let unknown = self.directory == Uuid::ZERO || other.directory == Uuid::ZERO;
        self.id == other.id && (unknown || self.directory == other.directory)
    }
}

/// Where a controller is reached on one listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: Str,
    /// Its host.
    pub host: Str,
    /// Its port.
    pub port: u16,
}

/// A voter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    /// Which replica.
    pub key: ReplicaKey,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// The lowest and the highest `kraft.version` that it can do.
    pub kraft_versions: (i16, i16),
}

/// The voters, in order of their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Voters(Vec<Voter>);

impl Voters {
    /// These voters; of two with one id the first counts.
    #[must_use]
    pub fn new(mut voters: Vec<Voter>) -> Voters {
        voters.sort_by_key(|voter| voter.key.id);
        voters.dedup_by_key(|voter| voter.key.id);
        voters.truncate(MAX_VOTERS);
        Voters(voters)
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Voter> {
        self.0.iter()
    }

    /// The voter with this id.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&Voter> {
        let found = self.0.binary_search_by_key(&id, |voter| voter.key.id);
        self.0.get(found.ok()?)
    }

    /// Whether this replica is one of them.
    #[must_use]
    pub fn contains(&self, key: &ReplicaKey) -> bool {
        self.get(key.id).is_some_and(|voter| voter.key.may_be(key))
    }

    /// The ids of all but one.
    pub(crate) fn others(&self, than: NodeId) -> Vec<NodeId> {
        let ids = self.0.iter().map(|voter| voter.key.id);
        ids.filter(|id| *id != than).collect()
    }

    /// How many of them are more than half.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.0.len() / 2 + 1
    }

    /// Reads the value of a `KRaftVoters` control record; `None` when it is none, or names nobody.
    pub(crate) fn decode(value: &[u8]) -> Option<Voters> {
        let mut reader = Reader::new(bytes::Bytes::copy_from_slice(value));
        let record = VotersRecord::decode(&mut reader, 0).ok()?;
        let voters = record.voters.iter().map(|voter| Voter {
            key: ReplicaKey {
                id: NodeId(voter.voter_id),
                directory: voter.voter_directory_id,
            },
            endpoints: (voter.endpoints.iter())
                .map(|endpoint| Endpoint {
                    listener: endpoint.name.detached(),
                    host: endpoint.host.detached(),
                    port: endpoint.port,
                })
                .collect(),
            kraft_versions: (
                voter.kraft_version_feature.min_supported_version,
                voter.kraft_version_feature.max_supported_version,
            ),
        });
        let voters = Voters::new(voters.collect());
        (!voters.is_empty()).then_some(voters)
    }

    /// The control record that names them.
    pub(crate) fn record(&self) -> VotersRecord {
        let voters = self.0.iter().map(|voter| voters_record::Voter {
            voter_id: voter.key.id.0,
            voter_directory_id: voter.key.directory,
            endpoints: (voter.endpoints.iter())
                .map(|endpoint| voters_record::Endpoint {
                    name: endpoint.listener.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    ..voters_record::Endpoint::default()
                })
                .collect(),
            kraft_version_feature: voters_record::KRaftVersionFeature {
                min_supported_version: voter.kraft_versions.0,
                max_supported_version: voter.kraft_versions.1,
                ..voters_record::KRaftVersionFeature::default()
            },
            ..voters_record::Voter::default()
        });
        VotersRecord {
            voters: voters.collect(),
            ..VotersRecord::default()
        }
    }
}
