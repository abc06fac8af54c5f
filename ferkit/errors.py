"""The error a user can cause."""

import difflib


class UserError(Exception):
    """One line for the user: what is wrong, where, what was received, and what to do. The command exits with 2."""


def nearest(name: str, known) -> str:
    """ ", nearest known: ..." for a misspelt name, or nothing when none is like it."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", nearest known: {close[0]}" if close else ""
