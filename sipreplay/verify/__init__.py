"""Compares a run with what was captured and asked; gives the verdict."""
