"""The calling side of a server: gRPC channel, TLS, connection errors, the link report."""
