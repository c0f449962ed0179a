"""Measurements side by side with sipp and tshark. `make bench` prints ratios; nothing here is asserted in tests."""
