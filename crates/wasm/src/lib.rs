//! The browser shell: bindings to the world, partition logs in IndexedDB.

pub mod owner;
pub mod store;

#[cfg(feature = "store-test")]
pub mod store_test;
