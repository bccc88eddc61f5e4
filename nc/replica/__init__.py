"""Where decide, append, evolve and reply meet. No other package appends to the log."""
