"""MDF4: block layouts, a writer whose file is valid at every instant, its reader and its repair."""
