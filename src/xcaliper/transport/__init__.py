"""Bytes in and out: sockets, the one loop that drives a machine, and helpers for slaves."""
