"""Virtual ECUs: declared in Python, served as true XCP slaves."""
