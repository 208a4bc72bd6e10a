//! The browser shell: bindings to the world, partition logs in IndexedDB.
