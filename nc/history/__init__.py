"""Reading a log back: what was so at some moment, why, and what changed. No sockets, no gRPC."""
