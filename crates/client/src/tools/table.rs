//! Columns as Kafka's group tool pads them, and the order in which Java lists what it hashes.

use alloc::string::String;

/// Appends `text` padded with spaces on the right to `width` characters; longer text stays whole.
fn pad(out: &mut String, text: &str, width: usize) {
    out.push_str(text);
    for _ in text.chars().count()..width {
        out.push(' ');
    }
}

/// One row of cells, each padded to its width, with one space between them.
#[must_use]
pub(super) fn row(cells: &[(&str, usize)]) -> String {
    let mut out = String::new();
    for (i, (text, width)) in cells.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        pad(&mut out, text, *width);
    }
    out
}

/// The width of a column: its least width, or the longest of its cells.
pub(super) fn widest<'a>(least: usize, cells: impl Iterator<Item = &'a str>) -> usize {
    cells
        .map(|cell| cell.chars().count())
        .fold(least, usize::max)
}

/// Where a Java `HashMap` with this many keys keeps a key: Kafka prints configs in that order.
pub(super) fn java_bucket(key: &str, keys: usize) -> u32 {
    let code = |hash: u32, unit: u16| hash.wrapping_mul(31).wrapping_add(u32::from(unit));
    let hash = key.encode_utf16().fold(0, code);
    // Its table begins with 16 places and doubles when more than three quarters of them are taken.
    let mut places = 16_u32;
    while usize::try_from(places / 4 * 3).is_ok_and(|most| most < keys) {
        places = places.saturating_mul(2);
    }
    (hash ^ (hash >> 16)) & (places - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_long_cells_and_pads_short_ones() {
        assert_eq!(row(&[("a", 3), ("long", 2), ("z", 2)]), "a   long z ");
        assert_eq!(widest(3, ["ab", "abcd"].into_iter()), 4);
    }
}
