"""Plugins that happen to ship; they import difftool.api and nothing else of difftool."""
