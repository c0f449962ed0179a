"""Media of the built-in scenario uac_pcap, written by scenarios/make_media.py."""
