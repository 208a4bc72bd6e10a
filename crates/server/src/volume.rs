//! How much room a directory's volume has.

use cluster::Volume;
use std::path::Path;

/// The volume that a directory lies on, as far as the system tells.
pub(crate) fn of(dir: &Path) -> Option<Volume> {
    let found = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(found.f_frsize)).ok();
    Some(Volume {
        total: bytes(found.f_blocks)?,
        usable: bytes(found.f_bavail)?,
    })
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::path::Path;

    #[test]
    fn a_directory_has_room_and_one_that_is_not_there_is_not_known() {
        let here = of(Path::new(".")).unwrap();
        assert!(0 < here.usable && here.usable <= here.total);
        assert_eq!(of(Path::new("no/such/directory")), None);
    }
}
