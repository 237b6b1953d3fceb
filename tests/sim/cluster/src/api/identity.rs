//! What the server invents for new objects: uids and the ends of generated names.

use rand::{Rng, rngs::StdRng};

/// A version 4 uuid.
pub(super) fn uid(random: &mut StdRng) -> String {
    let bits: u128 = random.random();
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// The five characters that the server appends to a generateName.
pub(super) fn suffix(random: &mut StdRng) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..5)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}
