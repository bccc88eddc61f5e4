"""What a client can ask for: one module for each service of nc.admin.v1."""
