"""For tests: simulated and failing disks."""
