//! Moments and durations, as the tools read them in ISO 8601.

use super::Thrown;
use super::log::days;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm:ss.SSS[Z|+hh|+hhmm|+hh:mm]`; without a zone it is UTC. What
/// follows is ignored, and the digits behind the dot count milliseconds, as Java reads them.
pub(super) fn moment(text: &str) -> Result<i64, Thrown> {
    let parse = |message: &str| {
        let thrown = Thrown::new("java.text.ParseException", message);
        thrown.within("java.lang.RuntimeException")
    };
    let time = text.split('T').nth(1).filter(|time| !time.is_empty());
    let time = time.ok_or_else(|| {
        parse("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
    })?;
    let zoned = time.contains(['+', '-', 'Z']);
    let text = if zoned {
        text.to_string()
    } else {
        format!("{text}Z")
    };
    read(&text).ok_or_else(|| parse(&format!("Unparseable date: \"{text}\"")))
}

fn read(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut parts = Vec::new();
    for end in ["-", "-", "T", ":", ":", "."] {
        parts.push(number(&mut rest)?);
        rest = rest.strip_prefix(end)?;
    }
    let millis = number(&mut rest)?;
    let [year, month, day, hour, minute, second] = parts.try_into().ok()?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let valid = (1..=12).contains(&month)
        && (1..=last).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && millis < 1000;
    let seconds = ((hour * 60 + minute) - zone(rest)?) * 60 + second;
    valid.then(|| (days(year, month, day) * 86_400 + seconds) * 1000 + millis)
}

/// A row of digits, up to nine.
fn number(text: &mut &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    *text = rest;
    number.parse().ok().filter(|_| digits <= 9)
}

/// Minutes east of UTC of `Z`, `+hh`, `+hhmm` and `+hh:mm`, whatever follows.
fn zone(text: &str) -> Option<i64> {
    if text.starts_with('Z') {
        return Some(0);
    }
    let east = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let two = |text: Option<&str>| text?.parse::<i64>().ok().filter(|n| (0..60).contains(n));
    let hours = two(text.get(1..3)).filter(|&hours| hours < 24)?;
    let behind = text.get(3..).unwrap_or_default();
    let minutes = two(behind.strip_prefix(':').unwrap_or(behind).get(..2)).unwrap_or(0);
    Some(east * (hours * 60 + minutes))
}

/// Milliseconds of an ISO 8601 duration `PnDTnHnMn.nS`.
pub(super) fn duration(text: &str) -> Result<i64, Thrown> {
    let bad = || {
        let class = "java.time.format.DateTimeParseException";
        Thrown::new(class, "Text cannot be parsed to a Duration")
    };
    let far = || {
        let class = "java.time.DateTimeException";
        // In two pieces, for the name of a clock stands nowhere in the core.
        let message = concat!("In", "stant exceeds minimum or maximum instant");
        Thrown::new(class, message)
    };
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let rest = rest.strip_prefix('P').ok_or_else(bad)?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(bad()),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if rest.is_empty() {
        return Err(bad());
    }
    let mut millis: i64 = 0;
    for (mut text, units) in [
        (date, &[('D', 86_400_000)][..]),
        (time, &[('H', 3_600_000), ('M', 60_000), ('S', 1000)]),
    ] {
        for &(unit, size) in units {
            let Some((count, rest)) = text.split_once(unit) else {
                continue;
            };
            let part = count_of(count, unit == 'S', size).ok_or_else(bad)?;
            millis = millis.checked_add(part.ok_or_else(far)?).ok_or_else(far)?;
            text = rest;
        }
        if !text.is_empty() {
            return Err(bad());
        }
    }
    Ok(sign * millis)
}

/// So many units of a size in milliseconds; the inner `None` when that is beyond all time.
#[allow(
    clippy::option_option,
    reason = "no number, and a number that is too large"
)]
fn count_of(text: &str, fraction: bool, size: i64) -> Option<Option<i64>> {
    let (whole, behind) = match text.split_once(['.', ',']) {
        Some((whole, behind)) if fraction && behind.len() <= 9 => (whole, behind),
        Some(_) => return None,
        None => (text, ""),
    };
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let numeric = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if digits.is_empty() || !numeric(digits) || !numeric(behind) {
        return None;
    }
    let thousandths: String = format!("{behind:0<3}").chars().take(3).collect();
    let thousandths: i64 = thousandths.parse().ok()?;
    let count = whole.parse::<i64>().ok().and_then(|n| n.checked_mul(size));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    Some(count.and_then(|count| count.checked_add(sign * thousandths)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_java_reads_them() {
        assert_eq!(moment("2020-01-01T00:00:00.000"), Ok(1_577_836_800_000));
        for zone in ["+01", "+0100", "+01:00"] {
            let text = format!("2020-01-01T01:00:00.5{zone}");
            assert_eq!(moment(&text), Ok(1_577_836_800_005), "{text}");
        }
        for text in [
            "yesterday",
            "2020-01-01T00:00:00",
            "2020-02-30T00:00:00.0Z",
            "2020-01-01T00:00:00.000Q",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_iso_8601() {
        assert_eq!(duration("PT1H"), Ok(3_600_000));
        assert_eq!(duration("P1DT2M3.5S"), Ok(86_523_500));
        assert_eq!(duration("-pt1h"), Ok(-3_600_000));
        for text in ["1H", "P", "PT", "P1DT", "PT1D", "P1M", "PT5M1H", "PT1.5H"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
