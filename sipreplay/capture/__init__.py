"""Files to packets: formats, link layers, TCP reassembly; and writing captures."""
