"""`ncadm THING VERB`: one file for each kind of thing."""
