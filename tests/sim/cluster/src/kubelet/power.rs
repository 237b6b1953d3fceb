//! Whether a node's machine is up, and what is new with every boot: its id and its clock.

use nodegrace_clock::Clock;

/// One boot of a machine.
#[derive(Clone, Debug)]
pub struct Power {
    /// How often it was booted before.
    pub boots: u32,
    /// False from its failure until it is up again: then id and clock are those of the boot that failed.
    pub on: bool,
    /// As in `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Its clock: the agent on this node belongs on it.
    pub clock: Clock,
}

impl Power {
    /// The first boot of the machine of a node that was given `seed`.
    pub(super) fn first(seed: u64, clock: Clock) -> Self {
        Self {
            boots: 0,
            on: true,
            boot_id: boot_id(seed),
            clock,
        }
    }

    /// The next boot of it, `uptime` ago.
    pub(super) fn next(&self, seed: u64, uptime: std::time::Duration) -> Self {
        let boots = self.boots + 1;
        Self {
            boots,
            on: true,
            boot_id: boot_id(seed.wrapping_add(u64::from(boots) << 32)),
            clock: self.clock.rebooted(uptime),
        }
    }
}

/// A boot id of the node's own.
fn boot_id(seed: u64) -> String {
    let high = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let low = seed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ high.rotate_left(32);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
