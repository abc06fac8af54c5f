"""The command line."""

from ferkit.cli.arguments import main

__all__ = ["main"]
