"""The error that the generators raise for options that make no network."""


class NetError(ValueError):
    """One line that names the option, the rule it breaks and a value that fits."""
