//! Lines as Kafka's logger writes them in a stock installation, and dates.

use alloc::format;
use alloc::string::String;
use ids::Time;

/// `[2026-11-21 07:37:07,397] ERROR text (logger)`, in UTC.
pub(super) fn line(now: Time, level: &str, text: &str, logger: &str) -> String {
    let millis = now.millis();
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (seconds, ms) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!(
        "[{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{ms:03}] {level} {text} ({logger})"
    )
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian).
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day ends a year of 400.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dated() {
        let now = Time::from_millis(1_795_246_653_179);
        let text = line(now, "ERROR", "x", "y");
        assert_eq!(text, "[2026-11-21 07:37:33,179] ERROR x (y)");
    }

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for at in (-800_000..800_000).step_by(97) {
            let (year, month, day) = civil(at);
            assert_eq!(days(year, month, day), at);
        }
    }
}
