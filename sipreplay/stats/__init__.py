"""Pure counters and mergeable histograms."""
