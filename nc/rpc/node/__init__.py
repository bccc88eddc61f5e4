"""nc.node.v1: how a machine becomes a node with a key of its own, and renews its certificates.

enrolment.py   the operations
methods.py     the service's methods, as the edge takes them
errors.py      its own refusals; `nc.rpc.answers` has their statuses
"""
