"""`network-controller check`: the command, its search and its report."""
