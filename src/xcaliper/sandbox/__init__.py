"""Other people's shared libraries, called in a process of their own."""
