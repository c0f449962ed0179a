"""Sans-IO SIP: scanning, messages, header values, URIs, SDP, digest, transaction rules."""
