//! What one agent may ask of the aggregator.

/// Largest message in bytes: many times a batch of an agent's, which has 4 KiB, or more where a single part has. One that is
/// nothing but empty parts takes about a hundred times as much while it is looked at, on one thread at a time.
pub(crate) const MAX_MESSAGE_SIZE: usize = 256 << 10;

/// Most records in a batch: an agent that was cut off for hours sends its backlog in several.
pub(super) const MAX_RECORDS: usize = 1024;

/// Most views in a batch: there are two channels, and a newer agent may see some more.
pub(super) const MAX_VIEWS: usize = 16;

/// Longest text in bytes. The wire's own limit for errors in words; names, versions and uids are shorter.
pub(super) const MAX_TEXT: usize = 256;

/// Most entries of a list within a sample or the settings. An agent lists eight disks, a dozen sources and some twenty operations.
pub(super) const MAX_ENTRIES: usize = 64;

/// Largest count an agent can claim, sequence numbers too: a million records a second for a month. Sums over a fleet of a
/// million nodes stay within 64 bits.
pub(super) const MAX_COUNT: u64 = 1 << 42;

/// Largest sample, set of facts and set of kubelet settings, in bytes: several times what a full one takes. The latest of each
/// is kept in memory for every node.
pub(super) const MAX_PART: usize = 16 << 10;
