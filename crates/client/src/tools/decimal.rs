//! Binary floating point numbers in the decimal form that Java shows, out of their bits.
//!
//! The core has no floats, and what formats them would be large in WebAssembly; this is the free-format algorithm of
//! Steele and White with numbers as long as they have to be.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The number with these bits: a sign, so many bits of exponent, so many of fraction.
pub(super) fn shown(bits: u64, exponent_bits: u32, fraction_bits: u32) -> String {
    let fraction = bits & ((1 << fraction_bits) - 1);
    let most = (1 << exponent_bits) - 1;
    let exponent = bits >> fraction_bits & most;
    let sign = match bits >> (exponent_bits + fraction_bits) & 1 {
        1 => "-",
        _ => "",
    };
    if exponent == most {
        return match fraction {
            0 => format!("{sign}Infinity"),
            _ => "NaN".into(),
        };
    }
    if exponent == 0 && fraction == 0 {
        return format!("{sign}0.0");
    }
    // Below the smallest exponent the leading bit is not implied.
    let implied = if exponent == 0 { 0 } else { 1 << fraction_bits };
    let bias = i64::try_from(most / 2).unwrap_or_default() + i64::from(fraction_bits);
    let power = i64::try_from(exponent.max(1)).unwrap_or_default() - bias;
    let narrow = fraction == 0 && exponent > 1;
    let (digits, point) = shortest(fraction | implied, power, narrow);
    format!("{sign}{}", placed(&digits, point))
}

/// Digits with the point behind so many of them, as Java places it.
fn placed(digits: &str, point: i64) -> String {
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let length = i64::try_from(digits.len()).unwrap_or_default();
    if (-2..=0).contains(&point) {
        return format!("0.{}{digits}", zeros(-point));
    }
    if (1..=7).contains(&point) {
        let padded = format!("{digits}{}", zeros(point + 1 - length));
        let (whole, part) = padded.split_at(usize::try_from(point).unwrap_or_default());
        return format!("{whole}.{part}");
    }
    let (first, rest) = digits.split_at(1);
    let rest = if rest.is_empty() { "0" } else { rest };
    format!("{first}.{rest}E{}", point - 1)
}

/// The fewest digits that name `mantissa * 2^power` among its neighbours, and where the point is: behind so many.
fn shortest(mantissa: u64, power: i64, narrow: bool) -> (String, i64) {
    let even = mantissa.is_multiple_of(2);
    let up = |big: Big, by: i64| big.shifted(u32::try_from(by).unwrap_or_default());
    // A neighbour below that is half as far away: everything is doubled once more.
    let extra = i64::from(narrow);
    let mut rest = up(Big::new(mantissa), power.max(0) + 1 + extra);
    let mut whole = up(Big::new(1), (-power).max(0) + 1 + extra);
    let mut below = up(Big::new(1), power.max(0));
    let mut above = up(Big::new(1), power.max(0) + extra);
    let reaches = |rest: &Big, above: &Big, whole: &Big| match rest.plus(above).order(whole) {
        Ordering::Equal => even,
        order => order == Ordering::Greater,
    };
    let mut point = 0;
    while reaches(&rest, &above, &whole) {
        whole.times(10);
        point += 1;
    }
    let mut digits = String::new();
    loop {
        for big in [&mut rest, &mut below, &mut above] {
            big.times(10);
        }
        if digits.is_empty() && !reaches(&rest, &above, &whole) {
            point -= 1;
            continue;
        }
        let mut digit = 0_u8;
        while rest.order(&whole) != Ordering::Less {
            rest.minus(&whole);
            digit += 1;
        }
        let low = match rest.order(&below) {
            Ordering::Equal => even,
            order => order == Ordering::Less,
        };
        let high = reaches(&rest, &above, &whole);
        if low || high {
            let twice = rest.plus(&rest).order(&whole);
            let round_up = high && (!low || twice != Ordering::Less);
            digits.push(char::from(b'0' + digit + u8::from(round_up)));
            return (digits, point);
        }
        digits.push(char::from(b'0' + digit));
    }
}

/// A number of any length, its lowest 32 bits first.
struct Big(Vec<u32>);

impl Big {
    fn new(number: u64) -> Big {
        Big(alloc::vec![number as u32, (number >> 32) as u32])
    }

    fn shifted(mut self, by: u32) -> Big {
        let mut left = by;
        while left > 0 {
            let step = left.min(31);
            self.times(1 << step);
            left -= step;
        }
        self
    }

    fn times(&mut self, by: u32) {
        let mut carry = 0_u64;
        for part in &mut self.0 {
            let product = u64::from(*part) * u64::from(by) + carry;
            *part = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn part(&self, at: usize) -> u32 {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn plus(&self, other: &Big) -> Big {
        let mut carry = 0_u64;
        let mut sum = Vec::new();
        for at in 0..=self.0.len().max(other.0.len()) {
            let part = u64::from(self.part(at)) + u64::from(other.part(at)) + carry;
            sum.push(part as u32);
            carry = part >> 32;
        }
        Big(sum)
    }

    /// Takes away what is not more than this.
    fn minus(&mut self, other: &Big) {
        let mut borrow = false;
        for at in 0..self.0.len() {
            let (part, under) = self.part(at).overflowing_sub(other.part(at));
            let (part, again) = part.overflowing_sub(u32::from(borrow));
            borrow = under || again;
            if let Some(own) = self.0.get_mut(at) {
                *own = part;
            }
        }
    }

    fn order(&self, other: &Big) -> Ordering {
        let parts = (0..self.0.len().max(other.0.len())).rev();
        let mut orders = parts.map(|at| self.part(at).cmp(&other.part(at)));
        orders
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_shown_as_java_shows_them() {
        for (bits, text) in [
            (0x3ff0_0000_0000_0000, "1.0"),
            (0xbf50_624d_d2f1_a9fc, "-0.001"),
            (0x3fb9_9999_9999_999a, "0.1"),
            (0x3fd5_5555_5555_5555, "0.3333333333333333"),
            (0x4132_d687_8000_0000, "1234567.5"),
            (0x4059_0000_0000_0000, "100.0"),
            (0x4163_12d0_0000_0000, "1.0E7"),
            (0x3f1a_36e2_eb1c_432d, "1.0E-4"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157E308"),
            (0x0010_0000_0000_0000, "2.2250738585072014E-308"),
            (0x4340_0000_0000_0000, "9.007199254740992E15"),
            (0x7ff0_0000_0000_0000, "Infinity"),
            (0xfff8_0000_0000_0000, "NaN"),
            (0x8000_0000_0000_0000, "-0.0"),
        ] {
            assert_eq!(shown(bits, 11, 52), text);
        }
    }

    #[test]
    fn floats_need_fewer_digits() {
        for (bits, text) in [
            (0x3dcc_cccd, "0.1"),
            (0x7f7f_ffff, "3.4028235E38"),
            (0x4b00_0000, "8388608.0"),
            (0x3f80_0001, "1.0000001"),
        ] {
            assert_eq!(shown(bits, 8, 23), text);
        }
    }
}
