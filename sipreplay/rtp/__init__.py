"""Sans-IO media: RTP and RTCP packets, telephone events, stream quality."""
