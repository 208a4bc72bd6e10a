//! What the codecs write can be read, here and by Kafka, and what others write can be read here.

use brooklet_codecs as codecs;

use codecs::{Compression, Corrupt, Decoder, compress, crc32c, decompress};

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for codec in Compression::ALL {
        for length in [0, 1, 100, 32 * 1024, 32 * 1024 + 1, 1 << 20] {
            let bytes = text(length);
            let packed = compress(codec, None, &bytes);
            let read = decompress(codec, &packed, 1 << 20);
            assert!(read == Ok(bytes), "{} of {length} bytes", codec.name());
        }
    }
}

#[test]
fn reading_in_small_pieces_gives_the_same() {
    for codec in Compression::ALL {
        let bytes = text(100_000);
        let packed = compress(codec, None, &bytes);
        let mut decoder = Decoder::new(codec, &packed);
        let (mut all, mut piece) = (Vec::new(), [0; 77]);
        while let Ok(read @ 1..) = decoder.read(&mut piece) {
            all.extend_from_slice(&piece[..read]);
        }
        assert!(all == bytes, "{}", codec.name());
        assert_eq!(decoder.read(&mut piece), Ok(0), "the end stays the end");
    }
}

#[test]
fn an_error_stays_the_answer() {
    let mut decoder = Decoder::new(Compression::Gzip, b"not gzip");
    for _ in 0..3 {
        assert_eq!(decoder.read(&mut [0; 8]), Err(Corrupt::Malformed));
    }
}

#[test]
fn cut_off_input_never_reads_as_whole() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Zstd] {
        let bytes = text(5000);
        let packed = compress(codec, None, &bytes);
        for end in 1..packed.len() {
            let read = decompress(codec, &packed[..end], 1 << 20);
            assert!(read != Ok(bytes.clone()), "{} at {end}", codec.name());
        }
    }
}

#[test]
fn heads_are_those_of_kafkas_java_client() {
    let gzip = compress(Compression::Gzip, None, b"x");
    assert_eq!(gzip[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let snappy = compress(Compression::Snappy, None, b"x");
    assert_eq!(snappy[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let lz4 = compress(Compression::Lz4, None, b"x");
    assert_eq!(lz4[..4], [0x04, 0x22, 0x4d, 0x18]);
    assert_eq!(lz4[4] >> 5, 0b011, "version 1, independent blocks");
    assert_eq!(lz4[5], 4 << 4, "blocks of 64 KiB");
}

#[test]
fn snappy_is_read_bare_and_framed_and_with_heads_in_between() {
    let bytes = text(70_000);
    let mut bare = vec![0; 100_000];
    let length = snap::raw::Encoder::new().compress(&bytes, &mut bare);
    bare.truncate(length.expect("room enough"));
    assert!(decompress(Compression::Snappy, &bare, 1 << 20) == Ok(bytes.clone()));

    let twice = compress(Compression::Snappy, None, &bytes).repeat(2);
    assert!(decompress(Compression::Snappy, &twice, 1 << 20) == Ok(bytes.repeat(2)));
}

#[test]
fn gzip_members_and_zstd_frames_are_read_one_after_another() {
    let bytes = text(3000);
    for codec in [Compression::Gzip, Compression::Zstd] {
        let twice = compress(codec, None, &bytes).repeat(2);
        assert!(decompress(codec, &twice, 1 << 20) == Ok(bytes.repeat(2)));
    }
    let mut skipped = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    skipped.extend(compress(Compression::Zstd, None, &bytes));
    assert!(decompress(Compression::Zstd, &skipped, 1 << 20) == Ok(bytes));
}

#[test]
fn a_wrong_checksum_of_a_zstd_frame_is_found() {
    let mut packed = compress(Compression::Zstd, None, &text(3000));
    let has_checksum = packed[4] & 0b100 != 0;
    assert!(has_checksum, "the encoder writes one");
    if let Some(last) = packed.last_mut() {
        *last ^= 1;
    }
    let read = decompress(Compression::Zstd, &packed, 1 << 20);
    assert_eq!(read, Err(Corrupt::Malformed));
}

#[test]
fn names_and_numbers_are_kafkas() {
    let names = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (id, (codec, name)) in Compression::ALL.into_iter().zip(names).enumerate() {
        assert_eq!(codec.name(), name);
        assert_eq!(Compression::from_name(name), Some(codec));
        assert_eq!(Compression::from_id(id as u8), Some(codec));
    }
    assert_eq!(Compression::from_id(5), None);
    assert_eq!(Compression::from_name("producer"), None);
}

fn text(length: usize) -> Vec<u8> {
    let words = ["offset ", "leader ", "epoch ", "record "];
    let mut state = 1u32;
    let mut all = Vec::new();
    while all.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        all.extend_from_slice(words[(state >> 30) as usize].as_bytes());
    }
    all.truncate(length);
    all
}

/// This test runs on wasm32, too: a codec that looks at the width of a pointer fails it there.
#[test]
fn compressed_bytes_are_the_same_on_32_and_64_bits() {
    let mut bytes = Vec::new();
    for n in 0..9_000_u32 {
        bytes.extend_from_slice(format!("{{\"n\": {n}, \"dice\": {}}}", n * n % 251).as_bytes());
    }
    assert!(bytes.len() > 2 * 65_536);
    let sums: Vec<String> = Compression::ALL
        .into_iter()
        .map(|codec| {
            let compressed = compress(codec, None, &bytes);
            assert_eq!(decompress(codec, &compressed, 1 << 20).unwrap(), bytes);
            format!("{} {:08x}", codec.name(), crc32c(&compressed))
        })
        .collect();
    assert_eq!(sums, SUMS);
}

/// CRC-32C of what each codec makes of the bytes above.
const SUMS: [&str; 5] = [
    "none 129368d6",
    "gzip c0b9a77a",
    "snappy c020c980",
    "lz4 a12f70f4",
    "zstd d56ab464",
];
