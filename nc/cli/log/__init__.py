"""`network-controller log …`: one file a subcommand."""
