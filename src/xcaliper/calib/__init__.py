"""Calibration: values of parameters in memory, parameter sets, the working set of a slave."""
