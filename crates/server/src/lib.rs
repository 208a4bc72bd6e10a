//! The native shell: TCP, Kafka's files, the wall clock.
