"""The folds: events in, the next state out. They never refuse, since an event is a fact."""

from nc.projections.state import evolve

__all__ = ["evolve"]
