"""Recording: sample blocks behind a bounded queue, written to files by one thread."""
