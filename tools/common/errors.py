"""The error that a user can mend."""


class UserError(Exception):
    """A mistake the user can mend: one line that names the thing, what was expected and what to do."""
