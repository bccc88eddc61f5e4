"""The network controller: admits machines to an overlay network and tracks their state."""

import os

# Names are looked up as every program here does it. gRPC's own way asks a DNS server even
# for a name that /etc/hosts has, and waits for it. Set before grpc is imported, which reads it.
os.environ.setdefault("GRPC_DNS_RESOLVER", "native")
