//! Memory of the process and of the kernel: the C library's heap, sealed files in the page cache, and what encoders share.

mod contiguous;
pub mod heap;
mod kernel;

pub use contiguous::{ContiguousMemory, contiguous_memory};
pub use kernel::{KernelMemory, KernelMemoryWriter};
