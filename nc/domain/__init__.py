"""The rules, as pure functions: state and a command in, events or a DomainError out.

No clock, random number, file or socket: what a decision needs of them comes with its command.
An aggregate is a file, in the order events, state, commands, evolve, decide; `state`, `evolve` and
`decide` join them.
"""
