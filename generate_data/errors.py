"""The one error of this package."""


class DataError(Exception):
    """Something about the user's files: one line that says what, where, what was received and what to do."""
