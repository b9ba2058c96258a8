"""XCaliper: measure, calibrate and simulate electronic control units over XCP."""

__version__ = "0.1.0"
