//! What several tests need: the recorded bytes of a real Kafka, and decoding of their notation.

/// The broker's own files, beside those of its partitions.
const LOG_DIRECTORY: &str = "segments/_logdir";
/// Where the same files lie as Kafka's recovery left them.
pub(crate) const RECOVERED: &str = "/recovered";

/// The log files of a partition's directory among the vectors, in the order of their offsets.
pub(crate) fn logs(directory: &str) -> Vec<String> {
    vectors::files(directory, ".log")
}

/// Every partition's directory among the vectors, and what Kafka's recovery made of the damaged ones.
pub(crate) fn partitions() -> Vec<String> {
    let cases = vectors::folders("segments").into_iter();
    let cases: Vec<String> = cases.filter(|case| case != LOG_DIRECTORY).collect();
    let damaged = cases.iter().filter(|case| is_damaged(case));
    let recovered: Vec<String> = damaged.map(|case| format!("{case}{RECOVERED}")).collect();
    [cases, recovered].concat()
}

/// Segments of a killed broker end in zeros, torn or corrupt batches.
pub(crate) fn is_damaged(directory: &str) -> bool {
    directory.starts_with("segments/sigkill") && !directory.ends_with(RECOVERED)
}

/// The JSON documents of a vector, one a line.
pub(crate) fn lines(vector: &str) -> Vec<serde_json::Value> {
    vectors::text(vector)
        .lines()
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
