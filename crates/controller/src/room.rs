//! How much a request may still make. What it has made already counts, however it asks for it.

use alloc::format;
use alloc::string::String;
use ids::ErrorCode;
use metadata::Image;

/// Metadata records that one request may make (Kafka's `MAX_RECORDS_PER_USER_OP`).
pub(crate) const RECORDS_MAX: usize = 10_000;
/// Partitions that all topics together may have: each takes memory for its log.
pub(crate) const PARTITIONS_MAX: usize = 20_000;
/// Bytes that the names and values of all configs may take, the resource's name with each of them; they
/// are always in memory.
const CONFIG_BYTES_MAX: usize = 32 << 20;

/// Room for what a request makes.
pub(crate) struct Room {
    partitions: usize,
    config_bytes: usize,
}

impl Room {
    /// The room there is before a request has made anything.
    pub(crate) fn beside(image: &Image) -> Room {
        Room {
            partitions: PARTITIONS_MAX.saturating_sub(image.partition_count()),
            config_bytes: CONFIG_BYTES_MAX.saturating_sub(image.config_bytes()),
        }
    }

    /// Takes room for so many partitions.
    ///
    /// # Errors
    /// 37 when there is not as much; nothing is taken then.
    pub(crate) fn take_partitions(&mut self, count: usize) -> Result<(), (ErrorCode, String)> {
        let Some(left) = self.partitions.checked_sub(count) else {
            return Err((
                ErrorCode::INVALID_PARTITIONS,
                format!(
                    "{count} more partitions would exceed this cluster's limit of {PARTITIONS_MAX}."
                ),
            ));
        };
        self.partitions = left;
        Ok(())
    }

    /// Takes room for a config of a resource.
    ///
    /// # Errors
    /// 44 when there is not as much.
    pub(crate) fn take_config(
        &mut self,
        resource: &str,
        name: &str,
        value: &str,
    ) -> Result<(), (ErrorCode, String)> {
        let bytes = resource.len() + name.len() + value.len();
        let Some(left) = self.config_bytes.checked_sub(bytes) else {
            return Err((
                ErrorCode::POLICY_VIOLATION,
                format!("All configs together may take {CONFIG_BYTES_MAX} bytes."),
            ));
        };
        self.config_bytes = left;
        Ok(())
    }
}
