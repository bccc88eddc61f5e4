"""A search for histories that break a law, and the smallest of those that it finds."""

from nc.testing.search.run import Report, search
from nc.testing.search.trial import Trial
from nc.testing.search.trials import Trials, draw_trial, play

__all__ = ["Report", "Trial", "Trials", "draw_trial", "play", "search"]
