"""Calling a server's gRPC API."""
