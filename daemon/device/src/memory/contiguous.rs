//! How much contiguous memory (CMA) the kernel has for encoders, from `/proc/meminfo` (`proc_meminfo(5)`).

/// The kernel's contiguous memory allocator, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContiguousMemory {
    /// Bytes set aside at boot (`cma=`).
    pub total: u64,
    /// Bytes not in use.
    pub free: u64,
}

/// Reads the present figures; `None` on kernels without CMA.
pub fn contiguous_memory() -> Option<ContiguousMemory> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse(meminfo: &str) -> Option<ContiguousMemory> {
    let bytes = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let total = bytes("CmaTotal:").filter(|total| *total > 0)?;
    Some(ContiguousMemory { total, free: bytes("CmaFree:")?.min(total) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_numbers_are_kibibytes() {
        let memory =
            parse("MemTotal: 438932 kB\nCmaTotal:          65536 kB\nCmaFree:           61024 kB\n").unwrap();
        assert_eq!(memory, ContiguousMemory { total: 65536 * 1024, free: 61024 * 1024 });
    }

    #[test]
    fn kernels_without_it_and_nonsense_have_none() {
        assert_eq!(parse("MemTotal: 438932 kB\n"), None);
        assert_eq!(parse("CmaTotal: 0 kB\nCmaFree: 0 kB\n"), None);
        assert_eq!(parse("CmaTotal: x kB\nCmaFree: 99999999999999999999 kB\n"), None);
    }
}
