//! CRC-32C (Castagnoli), the checksum of a record batch, and CRC-32, that of gzip.

/// The CRC-32C of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_append(0, bytes)
}

/// The CRC-32C of what `crc` was computed over, followed by `bytes`.
#[must_use]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(not(target_family = "wasm"))]
    return ::crc32c::crc32c_append(crc, bytes);
    #[cfg(target_family = "wasm")]
    return software::castagnoli(crc, bytes);
}

/// The CRC-32 of what `crc` was computed over, followed by `bytes`.
pub(crate) fn crc32_append(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(not(target_family = "wasm"))]
    {
        let mut hasher = crc32fast::Hasher::new_with_initial(crc);
        hasher.update(bytes);
        hasher.finalize()
    }
    #[cfg(target_family = "wasm")]
    software::gzip(crc, bytes)
}

/// WebAssembly has no instruction for CRCs; of what was measured there, slicing by 16 over two
/// streams at once was the fastest. Its tables are filled when first used: as constants they would
/// be 16 KiB that hardly compress in every download.
#[cfg(any(target_family = "wasm", test))]
mod software {
    use std::sync::OnceLock;

    /// The polynomials, bit-reversed.
    const CASTAGNOLI: u32 = 0x82f6_3b78;
    const GZIP: u32 = 0xedb8_8320;
    /// Bytes of each of the two streams that are worked on at once.
    const LANE: usize = 2048;

    struct Tables {
        polynomial: u32,
        /// `by[k][b]`: what byte `b` contributes when `k` more bytes follow.
        by: [[u32; 256]; 16],
        /// x^(8 * LANE) modulo the polynomial: advances a checksum over one lane of zeros.
        lane: u32,
    }

    pub(super) fn castagnoli(crc: u32, bytes: &[u8]) -> u32 {
        static TABLES: OnceLock<Box<Tables>> = OnceLock::new();
        append(TABLES.get_or_init(|| Tables::new(CASTAGNOLI)), crc, bytes)
    }

    pub(super) fn gzip(crc: u32, bytes: &[u8]) -> u32 {
        static TABLES: OnceLock<Box<Tables>> = OnceLock::new();
        append(TABLES.get_or_init(|| Tables::new(GZIP)), crc, bytes)
    }

    fn append(tables: &Tables, crc: u32, bytes: &[u8]) -> u32 {
        let mut state = !crc;
        let mut rest = bytes;
        while let Some((left, tail)) = rest.split_at_checked(LANE)
            && let Some((right, tail)) = tail.split_at_checked(LANE)
        {
            let (a, b) = pair(&tables.by, state, left, right);
            state = multiply(tables.polynomial, a, tables.lane) ^ b;
            rest = tail;
        }
        let (blocks, tail) = rest.as_chunks::<16>();
        for block in blocks {
            state = sixteen(&tables.by, state, block);
        }
        for &byte in tail {
            state = tables.by[0][usize::from(state as u8 ^ byte)] ^ (state >> 8);
        }
        !state
    }

    /// Two independent streams, so that the loads of one fill the waits of the other.
    fn pair(by: &[[u32; 256]; 16], start: u32, left: &[u8], right: &[u8]) -> (u32, u32) {
        let (mut a, mut b) = (start, 0);
        for (l, r) in left
            .as_chunks::<16>()
            .0
            .iter()
            .zip(right.as_chunks::<16>().0)
        {
            a = sixteen(by, a, l);
            b = sixteen(by, b, r);
        }
        (a, b)
    }

    #[inline(always)]
    fn sixteen(by: &[[u32; 256]; 16], state: u32, block: &[u8; 16]) -> u32 {
        let head = state ^ u32::from_be_bytes([block[3], block[2], block[1], block[0]]);
        let mut next = by[15][(head & 255) as usize]
            ^ by[14][(head >> 8 & 255) as usize]
            ^ by[13][(head >> 16 & 255) as usize]
            ^ by[12][(head >> 24) as usize];
        for i in 4..16 {
            next ^= by[15 - i][usize::from(block[i])];
        }
        next
    }

    impl Tables {
        fn new(polynomial: u32) -> Box<Tables> {
            let mut by = [[0; 256]; 16];
            for (byte, entry) in by[0].iter_mut().enumerate() {
                *entry = (0..8).fold(byte as u32, |state, _| times_x(polynomial, state));
            }
            for k in 1..16 {
                for byte in 0..256 {
                    let before: u32 = by[k - 1][byte];
                    by[k][byte] = by[0][(before & 255) as usize] ^ (before >> 8);
                }
            }
            // Squaring: x^8, x^16, … up to x^(8 * LANE); LANE is a power of two.
            let mut lane = 1 << (31 - 8);
            for _ in 0..LANE.trailing_zeros() {
                lane = multiply(polynomial, lane, lane);
            }
            Box::new(Tables {
                polynomial,
                by,
                lane,
            })
        }
    }

    /// One more zero bit: multiplies by x. The highest bit is the coefficient of x^0.
    fn times_x(polynomial: u32, state: u32) -> u32 {
        (state >> 1) ^ (polynomial & 0u32.wrapping_sub(state & 1))
    }

    /// The product of `a` and `b` modulo the polynomial.
    fn multiply(polynomial: u32, a: u32, mut b: u32) -> u32 {
        let mut product = 0;
        for bit in (0..32).rev() {
            product ^= b & 0u32.wrapping_sub(a >> bit & 1);
            b = times_x(polynomial, b);
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use super::{crc32_append, crc32c, crc32c_append, software};

    #[test]
    fn the_check_values_of_rfc_3720_hold() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        let cases: [(&[u8], u32); 6] = [
            (b"", 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (&falling, 0x113f_db5c),
        ];
        for (bytes, crc) in cases {
            assert_eq!(crc32c(bytes), crc);
            assert_eq!(software::castagnoli(0, bytes), crc);
        }
    }

    #[test]
    fn the_check_value_of_gzips_checksum_holds() {
        assert_eq!(crc32_append(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(software::gzip(0, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn software_and_hardware_agree_at_every_length_and_split() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| ((i * i) >> 3) as u8).collect();
        for end in (0..70).chain([2047, 2048, 4095, 4096, 4097, 8191, 8200, 16_384, 20_000]) {
            let part = &bytes[..end];
            assert_eq!(software::castagnoli(0, part), crc32c(part), "{end} bytes");
            let (a, b) = part.split_at(end / 3);
            assert_eq!(crc32c_append(crc32c(a), b), crc32c(part));
            assert_eq!(software::castagnoli(crc32c(a), b), crc32c(part));
            assert_eq!(software::gzip(crc32_append(0, a), b), crc32_append(0, part));
        }
    }
}
