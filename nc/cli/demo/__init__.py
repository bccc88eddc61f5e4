"""`network-controller demo`: the life of three nodes, against a real server, in a minute."""
