"""A drill of several machines: real servers and agents in network namespaces, with faults.

    python -m benchmarks.drill --each | --random MINUTES --seed N

`__main__` has the options, `site` the machines, `nodes` the agents, `traffic` their packets,
`clients` those that ask, `record` what they were answered, `faults` what happens, `measures` how
long it was noticed, `past` what the log has, and `judging` the laws.
"""
