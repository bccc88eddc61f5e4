"""Generated from `proto/` by `just proto`; not to be edited."""
