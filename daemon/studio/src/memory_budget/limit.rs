//! The memory that the process may use: the limit of its control group (the unit's `MemoryHigh=` and `MemoryMax=`),
//! else a part of the board's.
//!
//! Kernel: Documentation/admin-guide/cgroup-v2.rst, "memory.high", "memory.max"; cgroups(7), `/proc/self/cgroup`.

use std::path::Path;

/// Left for the program, its encoders, the heap of handlers and the kernel's buffers: a quarter, but not more than this.
const MARGIN_MOST: u64 = 64 << 20;
/// The assumption if nothing can be found out: a board of 512 MB with half of it for others.
const UNKNOWN: u64 = 256 << 20;

/// The budget of this process in bytes, without the margin. `root` is `/`, or a test's folder.
pub fn of_this_process(root: &Path) -> u64 {
    let limit = of_control_group(root).or_else(|| Some(memory_total(root)? / 2)).unwrap_or(UNKNOWN);
    limit - (limit / 4).min(MARGIN_MOST)
}

/// The lowest limit of the process's control group and those around it. `None` if none is set, or the kernel has only
/// version 1.
fn of_control_group(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = root.join("sys/fs/cgroup");
    let around = Path::new(own).ancestors().map(|group| folder.join(group));
    let limits = around.flat_map(|group| ["memory.high", "memory.max"].map(|file| group.join(file)));
    // "max" is not a number, and no limit.
    limits.filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

fn memory_total(root: &Path) -> Option<u64> {
    let meminfo = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A root with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_units_lower_limit_counts_less_a_margin() {
        let root = root(&[
            ("proc/self/cgroup", "0::/system.slice/perchd.service\n"),
            ("proc/meminfo", "MemTotal: 437000 kB\n"),
            ("sys/fs/cgroup/system.slice/perchd.service/memory.high", "201326592\n"),
            ("sys/fs/cgroup/system.slice/perchd.service/memory.max", "268435456\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "max\n"),
        ]);
        assert_eq!(of_this_process(root.path()), 144 * MIB);
    }

    #[test]
    fn a_limit_around_the_unit_counts_too() {
        let root = root(&[
            ("proc/self/cgroup", "0::/system.slice/perchd.service\n"),
            ("sys/fs/cgroup/system.slice/perchd.service/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n"),
        ]);
        assert_eq!(of_this_process(root.path()), 960 * MIB);
    }

    #[test]
    fn without_a_limit_it_is_a_part_of_the_boards_memory() {
        let cgroup_v1 = "4:memory:/user\n0::/\n";
        let root = root(&[("proc/self/cgroup", cgroup_v1), ("proc/meminfo", "MemTotal:  524288 kB\n")]);
        assert_eq!(of_this_process(root.path()), 192 * MIB);
    }

    #[test]
    fn where_nothing_can_be_read_it_is_a_small_boards() {
        for files in [&[][..], &[("proc/meminfo", "MemTotal: lots\n"), ("proc/self/cgroup", "nonsense")]] {
            assert_eq!(of_this_process(root(files).path()), 192 * MIB);
        }
    }
}
