"""What ASAP2 objects mean: conversions, layouts, axes and values."""
