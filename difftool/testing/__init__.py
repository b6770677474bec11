"""Closed-form oracles, shipped for plugin authors."""
