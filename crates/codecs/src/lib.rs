//! CRC-32C, gzip, snappy, lz4 and zstd as pure functions.

#![forbid(unsafe_code)]
