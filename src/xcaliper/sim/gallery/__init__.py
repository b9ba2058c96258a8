"""Ready virtual ECUs."""
