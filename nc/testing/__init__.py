"""The property-based harness."""
