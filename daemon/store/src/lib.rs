//! What Perch remembers, in one redb file. No tokio: the daemon calls it through `spawn_blocking`.
#![forbid(unsafe_code)]
