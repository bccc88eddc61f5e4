"""Several servers on one log that others keep: simulated, with everything that can go wrong."""
