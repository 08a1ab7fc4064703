//! Unix time as RFC 3339, for EXT-X-PROGRAM-DATE-TIME (RFC 8216bis §4.4.4.6).

use std::fmt;

const MILLISECONDS_A_DAY: i64 = 86_400_000;

/// Writes milliseconds since 1970 as UTC, to the millisecond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateTime(pub(crate) i64);

impl fmt::Display for DateTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.0.div_euclid(MILLISECONDS_A_DAY));
        let time = self.0.rem_euclid(MILLISECONDS_A_DAY);
        let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
        let millisecond = time % 1000;
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

/// The proleptic Gregorian date `days_since_1970` days after 1970-01-01. Years are counted from March, so that the leap
/// day is the last one of its year; 400 such years have 146,097 days.
fn civil_date(days_since_1970: i64) -> (i64, i64, i64) {
    const DAYS_FROM_0000_03_01_TO_1970: i64 = 719_468;
    let days = days_since_1970 + DAYS_FROM_0000_03_01_TO_1970;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_read_as_they_should() {
        assert_eq!(DateTime(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(DateTime(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(DateTime(951_782_400_123).to_string(), "2000-02-29T00:00:00.123Z");
        assert_eq!(DateTime(1_795_368_896_007).to_string(), "2026-11-22T17:34:56.007Z");
        assert_eq!(DateTime(4_107_542_400_000).to_string(), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn days_follow_each_other_through_four_centuries() {
        let mut previous = civil_date(-200_000);
        for day in -199_999..200_000 {
            let date = civil_date(day);
            let next_day = date.0 == previous.0 && date.1 == previous.1 && date.2 == previous.2 + 1;
            let next_month = date.2 == 1 && date.0 == previous.0 && date.1 == previous.1 + 1;
            let next_year = (date.1, date.2) == (1, 1) && date.0 == previous.0 + 1 && previous.1 == 12;
            assert!(next_day || next_month || next_year, "{previous:?} then {date:?}");
            previous = date;
        }
    }
}
