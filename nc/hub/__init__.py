"""The server's side of links: accepts them, gives them addresses, switches their packets."""
