"""sipreplay: learn SIP calls from packet captures and replay them."""

__version__ = "0.1.0"
