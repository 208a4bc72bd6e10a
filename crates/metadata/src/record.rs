//! One value of the metadata log: frame version, type, version, body (KIP-631).

use alloc::vec::Vec;
use bytes::Bytes;
use ids::Offset;
use records::BatchView;
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::clear_elr_record::ClearElrRecord;
use wire::config_record::ConfigRecord;
use wire::feature_level_record::FeatureLevelRecord;
use wire::partition_change_record::PartitionChangeRecord;
use wire::partition_record::PartitionRecord;
use wire::producer_ids_record::ProducerIdsRecord;
use wire::register_broker_record::RegisterBrokerRecord;
use wire::register_controller_record::RegisterControllerRecord;
use wire::remove_topic_record::RemoveTopicRecord;
use wire::topic_record::TopicRecord;
use wire::unregister_broker_record::UnregisterBrokerRecord;
use wire::{Malformed, Message, Reader, Writer};

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

/// Why a value of the metadata log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotARecord {
    /// The frame or the body is not what the schema says.
    Malformed(Malformed),
    /// A frame version this reader does not know.
    UnknownFrame(u32),
}

impl From<Malformed> for NotARecord {
    fn from(malformed: Malformed) -> NotARecord {
        NotARecord::Malformed(malformed)
    }
}

/// Ties each record type to its variant, so that reading and writing stay one list.
macro_rules! metadata_records {
    ($($variant:ident($body:ident) = $version:expr,)*) => {
        /// A record of the metadata log. What Brooklet does not act on is kept as it came.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the names are the protocol's own")]
        pub enum MetadataRecord {
            $($variant($body),)*
            /// A record type without a meaning here: its type, version and body.
            Other { kind: u32, version: u32, body: Bytes },
        }

        impl MetadataRecord {
            /// Reads one value of the metadata log.
            ///
            /// # Errors
            /// When the bytes are not a record frame, or the body does not fit its schema.
            pub fn decode(value: &Bytes) -> Result<MetadataRecord, NotARecord> {
                let mut reader = Reader::new(value.clone());
                let frame = reader.uvarint()?;
                if frame != FRAME_VERSION {
                    return Err(NotARecord::UnknownFrame(frame));
                }
                let kind = reader.uvarint()?;
                let version = reader.uvarint()?;
                let body_version = i16::try_from(version).map_err(|_| NotARecord::UnknownFrame(version))?;
                $(if kind == $body::API_KEY as u32 && body_version <= $body::MAX_VERSION {
                    return Ok(MetadataRecord::$variant($body::decode(&mut reader, body_version)?));
                })*
                Ok(MetadataRecord::Other { kind, version, body: reader.rest() })
            }

            /// The value as it stands in the log.
            #[must_use]
            pub fn encode(&self) -> Bytes {
                let mut out = Writer::new();
                out.uvarint(FRAME_VERSION);
                match self {
                    $(MetadataRecord::$variant(body) => {
                        let version: u8 = $version(body);
                        out.uvarint($body::API_KEY as u32);
                        out.uvarint(u32::from(version));
                        // The version written holds every field of the body.
                        let encoded = body.encode(&mut out, i16::from(version));
                        debug_assert!(encoded.is_ok(), "a metadata record lacks a field in its own version");
                    })*
                    MetadataRecord::Other { kind, version, body } => {
                        out.uvarint(*kind);
                        out.uvarint(*version);
                        out.raw(body);
                    }
                }
                out.into_bytes().unwrap_or_default()
            }
        }
    };
}

metadata_records! {
    RegisterBroker(RegisterBrokerRecord) = always::<4, _>,
    Topic(TopicRecord) = always::<0, _>,
    Partition(PartitionRecord) = always::<2, _>,
    Config(ConfigRecord) = always::<0, _>,
    PartitionChange(PartitionChangeRecord) = always::<2, _>,
    RemoveTopic(RemoveTopicRecord) = always::<0, _>,
    FeatureLevel(FeatureLevelRecord) = always::<0, _>,
    ProducerIds(ProducerIdsRecord) = always::<0, _>,
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) = registration_change_version,
    RegisterController(RegisterControllerRecord) = always::<0, _>,
    UnregisterBroker(UnregisterBrokerRecord) = always::<0, _>,
    ClearElr(ClearElrRecord) = always::<0, _>,
}

fn always<const VERSION: u8, T>(_: &T) -> u8 {
    VERSION
}

/// Kafka writes this one in the lowest version that holds what it says.
fn registration_change_version(body: &BrokerRegistrationChangeRecord) -> u8 {
    match body {
        _ if body.cordoned_log_dirs.is_some() => 3,
        _ if !body.log_dirs.is_empty() => 2,
        _ if body.in_controlled_shutdown != 0 => 1,
        _ => 0,
    }
}

/// The records of a batch of the metadata log, with their offsets; control batches have none.
#[must_use]
pub fn records_of(batch: &Bytes) -> Vec<(Offset, Result<MetadataRecord, NotARecord>)> {
    let Ok(view) = BatchView::parse(batch) else {
        return Vec::new();
    };
    if view.header().attributes.is_control() {
        return Vec::new();
    }
    let decode = |record: records::Record<'_>| {
        let value = record
            .value
            .map_or_else(Bytes::new, |value| batch.slice_ref(value));
        (record.offset, MetadataRecord::decode(&value))
    };
    // Metadata batches are never compressed.
    view.records()
        .into_iter()
        .flatten()
        .flatten()
        .map(decode)
        .collect()
}
