"""Packets to transactions, hop-dialogs, streams and calls."""
