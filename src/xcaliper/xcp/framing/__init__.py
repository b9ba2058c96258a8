"""Frame ↔ packet, counters and padding included; one module per transport."""
