"""Checks of any XCP slave against the standard: rules, how they ask, what they found."""
