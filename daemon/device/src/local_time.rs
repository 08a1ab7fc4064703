//! Local time where the board stands, from the C library's time zone (tzset(3): `TZ`, else `/etc/localtime`).

/// Seconds that local time is ahead of UTC at `unix_seconds`. 0 where the C library does not know.
pub fn offset_seconds(unix_seconds: i64) -> i32 {
    #[allow(clippy::unnecessary_cast, reason = "time_t has 32 bits on some boards")]
    let time = unix_seconds as libc::time_t;
    // SAFETY: a `tm` is numbers and a pointer that may be null; all zeros is a value of it.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of this function. localtime_r reads the environment, which nothing in perchd ever sets.
    let known = unsafe { libc::localtime_r(&raw const time, &raw mut local) };
    if known.is_null() { 0 } else { i32::try_from(local.tm_gmtoff).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_within_a_day_at_any_time() {
        for seconds in [0, 1_795_000_000, -1, i64::MAX, i64::MIN] {
            assert!(offset_seconds(seconds).abs() < 86_400);
        }
    }
}
