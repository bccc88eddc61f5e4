"""Targets: what the laws are checked on, this package's server or any that answers calls."""
