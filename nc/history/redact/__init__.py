"""Redaction: a history without names, addresses and certificates that replays as before."""
