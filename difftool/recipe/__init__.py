"""Recipes: reading, checking, explaining, writing."""
