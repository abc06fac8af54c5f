"""The error a user can cause."""


class UserError(Exception):
    """One line for the user: what is wrong, where, what was received, and what to do. The command exits with 2."""
