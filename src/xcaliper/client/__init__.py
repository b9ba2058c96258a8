"""A live connection: read, write and measure by name."""
