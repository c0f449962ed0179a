"""Virtual clock, in-memory network and playbooks, shipped to users."""
