//! Numbers as the standard library displays them, written a good deal faster: an exposition of a large fleet has 200,000.

use std::fmt::Write as _;

/// Whole numbers below this are written digit by digit.
const LARGE: f64 = 1e15;
/// Characters of a number with at most 15 digits that count: no other text as short is as near to it.
const SURE: usize = 16;

/// Writes `value` as `{value}` has it.
pub(crate) fn push(text: &mut String, value: f64) {
    let is_whole = value.trunc().to_bits() == value.to_bits() && value.abs() < LARGE;
    // A zero below nothing has a sign.
    if is_whole && value.to_bits() != (-0.0_f64).to_bits() {
        push_whole(text, value as i64);
        return;
    }
    let mut digits = zmij::Buffer::new();
    let plain = digits.format(value);
    // The standard library has no exponents, and writes a zero otherwise.
    if value.is_finite()
        && value != 0.0
        && !plain.contains('e')
        && (plain.len() <= SURE || !may_tie(value, plain))
    {
        text.push_str(plain);
    } else {
        write!(text, "{value}").expect("a String takes all that is written");
    }
}

/// True when two texts of this length may be equally near to `value`, of which the standard library may take the other one: then
/// it lies halfway between two numbers of so many decimals, and that many halvings make it whole.
fn may_tie(value: f64, plain: &str) -> bool {
    let decimals = plain.rsplit('.').next().unwrap_or_default().bytes();
    let halved = decimals.fold(2.0 * value, |value, _| 2.0 * value);
    halved.fract() == 0.0
}

fn push_whole(text: &mut String, value: i64) {
    let mut digits = [b'0'; 20];
    let (mut begin, mut rest) = (digits.len(), value.unsigned_abs());
    loop {
        begin -= 1;
        digits[begin] += (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        text.push('-');
    }
    text.push_str(str::from_utf8(&digits[begin..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_as_displayed(value: f64) {
        let mut text = String::new();
        push(&mut text, value);
        assert_eq!(text, value.to_string(), "{:x}", value.to_bits());
    }

    #[test]
    fn every_number_is_written_as_the_standard_library_displays_it() {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1 + 0.2,
            1e-5,
            1e-7,
            5e-324,
            LARGE - 0.5,
            LARGE,
            1e16,
            123_456_789_012_345_680.0,
            1e300,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        special.into_iter().for_each(assert_as_displayed);
        // Any bits (splitmix64), whole numbers, and figures as they are told: seconds with nanoseconds, rates and shares.
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bits = mixed ^ (mixed >> 31);
            assert_as_displayed(f64::from_bits(bits));
            assert_as_displayed((bits >> 20) as f64);
            assert_as_displayed(-((bits >> 44) as f64));
            assert_as_displayed((bits >> 24) as f64 / 1e9);
            assert_as_displayed((bits >> 11) as f64 / (1_u64 << 53) as f64);
        }
    }
}
