"""SIPp's own command line."""
