// The shims come first: KafkaJS looks for them as it loads.
import "./shims.ts";
import "./entry.ts";
