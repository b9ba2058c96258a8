"""Every keyword of ASAP2 1.7.1, one dataclass each."""
