"""Ground level: errors, addresses, data types, ticks, frames, samples, diagnostics."""
