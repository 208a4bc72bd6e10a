//! Control records: what coordinators and quorums write between the users' records.

/// What a control record is, by its key: version and type, an i16 each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControlType {
    /// A transaction was aborted (KIP-98).
    Abort,
    /// A transaction was committed (KIP-98).
    Commit,
    /// A quorum has a new leader (KIP-595).
    LeaderChange,
    /// A snapshot begins (KIP-630).
    SnapshotHeader,
    /// A snapshot ends (KIP-630).
    SnapshotFooter,
    /// The quorum's protocol version (KIP-853).
    KraftVersion,
    /// The quorum's members (KIP-853).
    KraftVoters,
}

impl ControlType {
    const ALL: [ControlType; 7] = [
        ControlType::Abort,
        ControlType::Commit,
        ControlType::LeaderChange,
        ControlType::SnapshotHeader,
        ControlType::SnapshotFooter,
        ControlType::KraftVersion,
        ControlType::KraftVoters,
    ];

    /// Reads a control record's key; `None` for a type that is not known.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<ControlType> {
        let (version, rest) = key.split_first_chunk()?;
        let (kind, _) = rest.split_first_chunk()?;
        if i16::from_be_bytes(*version) < 0 {
            return None;
        }
        let kind = usize::try_from(i16::from_be_bytes(*kind)).ok()?;
        ControlType::ALL.get(kind).copied()
    }

    /// A control record's key, in version 0.
    #[must_use]
    pub fn key(self) -> [u8; 4] {
        [0, 0, 0, self as u8]
    }
}

/// The marker that ends a transaction on a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTxnMarker {
    /// Committed, or aborted.
    pub commit: bool,
    /// Epoch of the transaction coordinator's partition; an older one is fenced.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads a control record; `None` when it is another one.
    #[must_use]
    pub fn parse(key: &[u8], value: &[u8]) -> Option<EndTxnMarker> {
        let commit = match ControlType::from_key(key)? {
            ControlType::Abort => false,
            ControlType::Commit => true,
            _ => return None,
        };
        let (_version, rest) = value.split_first_chunk::<2>()?;
        let (epoch, _) = rest.split_first_chunk()?;
        Some(EndTxnMarker {
            commit,
            coordinator_epoch: i32::from_be_bytes(*epoch),
        })
    }

    /// The record's key.
    #[must_use]
    pub fn key(&self) -> [u8; 4] {
        match self.commit {
            true => ControlType::Commit.key(),
            false => ControlType::Abort.key(),
        }
    }

    /// The record's value, in version 0.
    #[must_use]
    pub fn value(&self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }
}
