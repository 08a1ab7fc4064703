//! What segments are called.

/// A segment's name, relative to its playlist: `RUN-NUMBER.ts`. No two runs of any stream are called the same, so a name never stands for two
/// segments, and caches may keep them for ever.
pub fn segment_name(run: &str, sequence: u64) -> String {
    format!("{run}-{sequence}.ts")
}

/// The run and the sequence number in a name made by [`segment_name`].
pub fn parse_segment_name(name: &str) -> Option<(&str, u64)> {
    let (run, digits) = name.strip_suffix(".ts")?.rsplit_once('-')?;
    // One name for one segment: "a-007.ts" and "a-+7.ts" are not names of segment 7.
    let sequence = digits.parse().ok()?;
    (segment_name(run, sequence) == name).then_some((run, sequence))
}
