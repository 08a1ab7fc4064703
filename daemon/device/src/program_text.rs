//! The program's own pages, of which most are only ever needed to start: the tables of addresses, the configuration's parser, the command line.
//!
//! A page of the program becomes resident together with its neighbours when it is first used, and stays, as nothing on an idle board asks for
//! it back. Given back once all runs, only those come again that are in use.

use rustix::mm::{Advice, madvise};
use std::io;

/// Lets go of the pages of the program and its libraries. Those in use come back by themselves, out of the page cache.
/// Fails where `/proc` is not there; then all stays as it is.
pub fn let_go() -> io::Result<()> {
    for (start, length) in unchanged(&std::fs::read_to_string("/proc/self/smaps")?) {
        // SAFETY: a private mapping of a file that cannot be written to and none of whose pages were ever written to: dropped pages are
        // read from the file again, and hold what they held. It is mapped now, and nothing here unloads libraries.
        unsafe { madvise(std::ptr::without_provenance_mut(start), length, Advice::LinuxDontNeed) }?;
    }
    Ok(())
}

/// Address and length of the mappings of files on disk that are as the file is (`proc_pid_smaps(5)`).
fn unchanged(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Anonymous:"), Some("0")) => found.extend(candidate.take()),
            (Some(field), _) if field.ends_with(':') => {}
            (Some(range), Some(permissions)) => {
                let is_fixed = matches!(permissions, "r--p" | "r-xp");
                let is_file =
                    words.nth(3).is_some_and(|path| path.starts_with('/') && !path.starts_with("/memfd:"));
                candidate = (is_fixed && is_file).then(|| parse_range(range)).flatten();
            }
            _ => {}
        }
    }
    found
}

fn parse_range(range: &str) -> Option<(usize, usize)> {
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    Some((start, usize::from_str_radix(end, 16).ok()?.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0c0000000-55d0c0300000 r--p 00000000 fe:00 12 /usr/bin/perchd
Rss:                 100 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
55d0c0300000-55d0c0a00000 r-xp 002ff000 fe:00 12 /usr/bin/perchd
Anonymous:             0 kB
55d0c0a00000-55d0c0b00000 r--p 009ff000 fe:00 12 /usr/bin/perchd
Anonymous:            40 kB
55d0c0b00000-55d0c0c00000 rw-p 00aff000 fe:00 12 /usr/bin/perchd
Anonymous:             0 kB
55d0c1000000-55d0c1500000 rw-p 00000000 00:00 0 [heap]
Anonymous:             0 kB
7f0000000000-7f0000100000 r--p 00000000 00:01 33 /memfd:perch (deleted)
Anonymous:             0 kB
7f0000200000-7f0000300000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_what_is_as_its_file_is_let_go() {
        let expected = [(0x55d0_c000_0000, 0x30_0000), (0x55d0_c030_0000, 0x70_0000)];
        assert_eq!(unchanged(SMAPS), expected);
    }

    #[test]
    fn lines_of_another_kernel_are_passed_over() {
        assert!(unchanged("").is_empty());
        assert!(unchanged("zz-1 r-xp 0 0 0 /bin/x\nAnonymous: 0 kB\n\nAnonymous: 0 kB\n").is_empty());
    }

    #[test]
    fn the_program_goes_on_without_its_pages() {
        let table: Vec<u8> = (0..=255).collect();
        let_go().unwrap();
        assert_eq!(table.iter().map(|&byte| u32::from(byte)).sum::<u32>(), 32_640);
        let own = std::fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(!unchanged(&own).is_empty());
    }
}
