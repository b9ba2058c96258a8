"""The rules, one module per group; each declares them and lists them in RULES."""
