//! How the manifests in `deploy` have the C library keep a program's heap, for whatever measures memory.

/// One variable of a program's environment.
pub(crate) type Variable = (&'static str, &'static str);

/// One heap for all threads, as both programs have it.
pub(crate) const ONE_ARENA: Variable = ("MALLOC_ARENA_MAX", "1");
/// Large buffers by themselves, as the aggregator has it.
pub(crate) const LARGE_APART: Variable = ("MALLOC_MMAP_THRESHOLD_", "16384");
