"""The rules, as pure functions: state and a command in, events out, or a refusal.

Nothing in here knows a clock, a random number, a file or a socket; what a decision needs of them
comes in with its command.
"""
