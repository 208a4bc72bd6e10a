//! ListPartitionReassignments (key 46, version 0): always none.
//!
//! Left out: reassignments; replicas stay where they were put.

use crate::broker::{Cx, Handled};
use wire::list_partition_reassignments_response::ListPartitionReassignmentsResponse;

pub(crate) fn handle(cx: &Cx<'_>) -> Handled {
    cx.reply(&ListPartitionReassignmentsResponse::default())
}
