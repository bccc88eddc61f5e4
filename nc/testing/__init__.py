"""The property-based harness."""
from nc.testing.targets.in_process import InProcess
