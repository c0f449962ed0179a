"""SIPp's statistics and trace files: writing and reading."""
