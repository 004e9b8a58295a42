"""Kinds of fault, the trials that look for them, and what a trial found."""

import inspect
from dataclasses import dataclass
from typing import Callable


class Skipped(Exception):
    """A trial cannot be made here (no root, no network tools, an optional package is missing); the text says why."""


@dataclass(frozen=True)
class Result:
    """What became of one case.

    Attributes
    ----------
    kind : str
        Of fault.
    case : str
        What was tried, in few words.
    faults : tuple of str
        What was wrong with the answer; empty when it was right.
    command : str
        The command that was judged; FOLDER stands for the folder of temporary files.
    """

    kind: str
    case: str
    faults: tuple
    command: str

    @property
    def failed(self):
        """Whether anything was wrong (bool)."""
        return bool(self.faults)


@dataclass(frozen=True)
class Trial:
    """A function that tries one kind of fault in a Lab and yields Results.

    Attributes
    ----------
    kind : str
    run : callable (Lab) -> iterable of Result
    slow : bool
        For long runs only.
    alone : bool
        Measures seconds: nothing else of ours may run beside it.
    """

    kind: str
    run: Callable
    slow: bool = False
    alone: bool = False

    @property
    def about(self):
        """What it tries (str): the first line of the function's docstring."""
        return inspect.getdoc(self.run).splitlines()[0].rstrip(".")


def trial(kind, slow=False, alone=False):
    """Mark a function as a Trial of `kind`; it stands under that function's name."""

    def marked(function):
        return Trial(kind, function, slow, alone)

    return marked


def trials_of(module):
    """The trials (list of Trial) of a module, in the order of their definition."""
    return [value for value in vars(module).values() if isinstance(value, Trial)]
