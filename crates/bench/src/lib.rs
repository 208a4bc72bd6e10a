//! Throughput and latency figures, each beside the limit measured in the same run.
