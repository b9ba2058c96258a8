"""Field terms and the layout compiler: a packet is declared once and read by everybody."""
