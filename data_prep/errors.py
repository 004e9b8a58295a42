"""The error that data_prep raises for a mistake a user can mend."""


class DataError(ValueError):
    """One line that names the file or folder, what was expected and what to do."""
