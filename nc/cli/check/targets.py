"""The targets of a search that have a name; any other is the HOST:PORT of a server."""

IN_PROCESS = "in-process"
PROCESS = "process"
SIM = "sim"
