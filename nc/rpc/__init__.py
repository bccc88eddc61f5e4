"""The gRPC edge: the only place that knows of servers, status codes and what callers may do."""

import os

# Names are looked up as every program here does it. gRPC's own way asks a DNS server even
# for a name that /etc/hosts has, and waits for it. Said before grpc is imported, which reads it.
os.environ.setdefault("GRPC_DNS_RESOLVER", "native")
