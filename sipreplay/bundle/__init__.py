"""The folder that learn writes, run plays and verify reads."""
