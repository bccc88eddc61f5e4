"""Exports: a log, or a slice of it, as one file."""
