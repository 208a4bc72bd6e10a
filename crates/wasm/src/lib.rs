//! The browser shell: bindings to the world, partition logs in IndexedDB.

mod arrival;
mod browser;
mod calls;
mod clock;
mod frames;
#[cfg(test)]
mod frames_test;
pub mod host;
mod lanes;
mod look;
mod methods;
pub mod owner;
mod persist;
mod places;
mod ports;
mod push;
mod rates;
mod recover;
pub mod rest;
mod stage;
pub mod store;
mod terminals;
mod turn;

#[cfg(feature = "store-test")]
pub mod store_test;
