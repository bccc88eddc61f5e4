"""The network controller: lets machines into an overlay network, and knows where they are."""

import os

# Names are looked up as every program here does it. gRPC's own way asks a DNS server even
# for a name that /etc/hosts has, and waits for it. Set before grpc is imported, which reads it.
os.environ.setdefault("GRPC_DNS_RESOLVER", "native")
