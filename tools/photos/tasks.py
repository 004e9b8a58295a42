"""What tools/upscale.py is to do: which pictures, and where each result goes, with no two under one name."""

import errno
import os
import stat
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools.common.errors import UserError
from tools.photos import notes, output


@dataclass(frozen=True)
class Task:
    """One picture to enlarge: where it is, where the result goes, whether it was found in a folder."""

    source: Path
    target: Path
    found: bool

    @property
    def comparison(self):
        """Where bicubic and result side by side go."""
        return self.target.with_name(f"{self.target.stem}_compare.png")

    def outputs(self, compare):
        """All that is written (list of Path)."""
        return [self.target, self.comparison] if compare else [self.target]


def tasks(inputs, out, compare=False):
    """What is to be done, in order.

    Parameters
    ----------
    inputs : list of Path
        Pictures, and folders of pictures.
    out : str
        A file for one picture, else a folder; what ends in / is a folder.
    compare : bool
        Comparisons are written as well.

    Returns
    -------
    todo : list of Task
    own : list of Path
        Inputs that this tool made, in the output folder itself: they are no pictures to enlarge.

    Raises
    ------
    UserError
        An input is missing or a device, a folder is empty, `out` is a file for many inputs, a device, or one of the
        inputs or their folders, or two results would have one name.
    """
    found = _found(inputs)
    target = Path(out)
    if _is_file(out, found):
        output.check_name(target)
        todo, own = [Task(found[0][0], target, False)], []
    else:
        todo, own = _into_folder(inputs, found, target)
    _check_place(target if own or len(todo) > 1 else todo[0].target.parent)
    _check_outputs(todo, compare)
    return todo, own


def _found(inputs):
    """All pictures: list of (Path, whether it was found in a folder)."""
    found = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            if not inside:
                raise UserError(f"{path}: has no files; expected a folder of pictures (sub-folders are not searched)")
            found += [(p, True) for p in inside]
        elif not path.exists():
            raise UserError(f"{path}: no such file or folder; expected a picture or a folder of pictures")
        elif path.is_char_device() or path.is_block_device() or path.is_socket():
            raise UserError(f"{path}: is a device; expected a picture or a folder of pictures")
        else:
            found.append((path, False))
    return found


def _is_file(out, found):
    """Whether `out` names the file for the one input."""
    path = Path(out)
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists passes on what does not say "missing"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(f"{out}: cannot be written ({error.strerror}); use a shorter name") from None
    if not out or path.name.lower() in output.FORMATS:
        raise UserError(f"-o {out!r}: is not a name; expected that of a file or folder")
    folder = out.endswith(("/", os.sep))
    if path.exists() and not path.is_dir() and (folder or not path.is_file()):
        what = "is a file" if path.is_file() else "is a device or a pipe"
        expected = "a folder" if folder else "a file or a folder"
        raise UserError(f"{out}: {what}, expected {expected}; name another with -o")
    if path.is_dir() or folder:
        return False
    if len(found) == 1 and not found[0][1]:
        if path.is_file() and not path.suffix:
            output.check_name(path)
        return bool(path.suffix)
    if path.is_file() or path.suffix.lower() in output.FORMATS:
        how = "a folder of them" if len(found) == 1 else len(found)
        raise UserError(f"{path}: is a name for one picture, got {how}; expected a folder (it is created if missing)")
    return False


def _into_folder(inputs, found, out):
    """The tasks whose results go into folder `out`, and the inputs there that are results themselves."""
    for path in inputs:
        if path.is_dir() and _same(path, out):
            raise UserError(
                f"{path}: is the folder of the inputs and of the results, which the next call would enlarge again; "
                f"expected another with -o, such as {out / 'large'}"
            )
    own = [path for path, _ in found if _same(path.parent, out) and notes.is_ours(path)]
    found = [one for one in found if one[0] not in own]
    stems = Counter(_folded(path.stem) for path, _ in found)
    names = [path.stem if stems[_folded(path.stem)] == 1 else path.name for path, _ in found]
    return [Task(path, out / f"{name}.png", inside) for name, (path, inside) in zip(names, found)], own


def _folded(name):
    """A name as file systems compare it that take no account of case or of how an accent is encoded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _same(path, other):
    """Whether two paths are one file or folder; False when one is missing."""
    try:
        return os.path.samestat(path.stat(), other.stat())
    except OSError:
        return False


def _check_outputs(todo, compare):
    """Refuse two outputs of one name, and an output that is an input."""
    inputs = {}
    for task in todo:
        status = task.source.stat()
        inputs[status.st_dev, status.st_ino] = task.source
    taken = {}
    for task in todo:
        for path in task.outputs(compare):
            other = taken.setdefault((path.parent, _folded(path.name)), task)
            if other is not task or (path != task.target and path.name == task.target.name):
                raise UserError(_collision(path, other, task))
            try:
                status = path.stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) in inputs:
                raise UserError(f"{path}: is an input, and would be overwritten; name another file or folder with -o")
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{path}: is a folder, a device or a pipe, expected a file; name another with -o")


def _collision(path, one, other):
    if path in (one.target, other.target) and one.source.name == other.source.name:
        return f"{one.source.name}: there are two inputs of this name; expected one, or run them into two folders"
    return (
        f"{path}: would be written for {one.source.name} and for {other.source.name}; rename one of them, or run them "
        "into two folders"
    )


def _check_place(folder):
    """Refuse a folder for results that cannot be one."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path())
    if not there.is_dir():
        raise UserError(f"{there}: is a file where the folder of the results should be; name another place with -o")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there}: no permission to write in this folder; name another place with -o")
