"""What Prometheus reads of a server: gathered when it asks, from what is counted anyway."""
