"""Bytes and domain values: records, snapshots and digests."""
