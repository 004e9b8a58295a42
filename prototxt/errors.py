"""The error that the generators raise for options that make no network, and the check that most of them need."""


class NetError(ValueError):
    """One line that names the option, the rule it breaks and a value that fits."""


def check_counts(**counts):
    """Raise NetError unless every option, given by its name, is a whole number of at least 1."""
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise NetError(f"{name}: got {value!r}, expected a whole number of at least 1")
