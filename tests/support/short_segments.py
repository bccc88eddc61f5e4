"""The logs of tests have short segments: one of 64 MiB is read to its end wherever a log is opened.

That takes 30 ms of CPU, hundreds of times, and its zeros say no more than these. A program that is
started as a shell finds it, not forked, makes segments of full length.
"""

from typing import Final

import eventlog
from eventlog import jetstream
from eventlog.copies import FolderCopy

_SEGMENT_BYTES: Final = 4 * 1024 * 1024  # more than any test writes


def shorten_segments() -> None:
    """Let this process, and what it forks, make short ones where it does not say how long."""
    for function in (eventlog.open, jetstream.open, FolderCopy.__init__):
        defaults = function.__kwdefaults__
        assert defaults is not None
        defaults["segment_size_bytes"] = _SEGMENT_BYTES
