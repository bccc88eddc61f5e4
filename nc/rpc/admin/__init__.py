"""nc.admin.v1: what operators and their programs can see and change; one module a service.

nodes.py, tokens.py, administrators.py, events.py, history.py, server.py

methods.py      the services' methods, as the edge takes them
errors.py       refusals of requests; `nc.rpc.answers` has their statuses
references.py   what a request calls a node, a token or an administrator, found
selection.py    filters and label selectors;   ordering.py   orders;   paging.py   pages
views.py        parts of the state as messages
tail.py         the newest events, encoded once for all watches
"""
