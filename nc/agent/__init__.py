"""The node's side of a link: enrolment, connection, TUN device, state that survives a restart."""
