"""Links: how nodes connect, get their address and exchange packets."""
