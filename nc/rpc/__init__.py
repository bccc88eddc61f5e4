"""The gRPC edge: the only place that knows of servers, status codes and what callers may do."""
