"""What hub and agent share: the link's wire format, offload, TUN devices, routes, sockets."""
