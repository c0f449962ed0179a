"""One run from start to verdict: processes, merging, live view."""
