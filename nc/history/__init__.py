"""Reading a log back: past states, explanations and differences. No sockets, no gRPC."""
