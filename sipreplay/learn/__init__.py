"""From a call graph to a bundle."""
