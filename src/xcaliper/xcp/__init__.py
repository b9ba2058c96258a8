"""XCP, protocol layer 1.0 to 1.5: layouts, table, machines, framing."""
