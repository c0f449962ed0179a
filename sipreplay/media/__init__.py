"""Sends and receives RTP in a process of its own."""
