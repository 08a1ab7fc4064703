//! Names of segments.

/// A segment's name, relative to its playlist: `RUN-NUMBER.ts`. All runs of all streams have different names, so a name
/// never stands for two segments, and caches may keep segments for ever.
pub fn segment_name(run: &str, sequence: u64) -> String {
    format!("{run}-{sequence}.ts")
}

/// Splits a name made by [`segment_name`] into run and sequence number.
pub fn parse_segment_name(name: &str) -> Option<(&str, u64)> {
    let (run, digits) = name.strip_suffix(".ts")?.rsplit_once('-')?;
    // A segment has only one name: "a-007.ts" and "a-+7.ts" are not names of segment 7.
    let sequence = digits.parse().ok()?;
    (segment_name(run, sequence) == name).then_some((run, sequence))
}
