"""The command lines: one file a command. Only here are arguments read and is anything printed."""
