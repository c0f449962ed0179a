"""Runs scenarios: steps, calls, matching, transports, retransmission, rate."""
