//! What several tests need: the recorded bytes of a real Kafka, and decoding of their notation.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::{Path, PathBuf};

/// A folder of the recorded vectors; says so and gives `None` where they are not beside the clone.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let path = Path::new(root).join(folder);
    if !path.is_dir() {
        println!("left out: no recorded vectors in ../shared/vectors/{folder}");
        return None;
    }
    Some(path)
}

/// The vectors that are part of the repository.
pub(crate) fn own(folder: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors")).join(folder)
}

/// The directories in `root`, in order.
pub(crate) fn directories(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).expect("a readable directory");
    let mut all: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.is_dir())
        .collect();
    all.sort();
    all
}

/// The log files of a partition's directory, in the order of their offsets.
pub(crate) fn logs(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a readable directory");
    let mut all: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "log"))
        .collect();
    all.sort();
    all
}

/// The JSON documents of a file, one a line.
pub(crate) fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).expect("a readable file");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON document a line"))
        .collect()
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, i| {
            word << 8 | u32::from(*three.get(i).unwrap_or(&0))
        });
        for i in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= three.len() { letter } else { b'=' } as char);
        }
    }
    text
}
