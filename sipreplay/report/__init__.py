"""Ladders, plots, pages."""
