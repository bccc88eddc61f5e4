"""What replicas say to each other: nc.replica.v1, on both sides."""
