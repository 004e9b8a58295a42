"""Keep the shards of a database as they are while a training of hours reads them."""

import fcntl
import os

from data_prep.errors import DataError


class Held:
    """Shards that a reader depends on; use it in a `with`.

    A shared lock keeps HDF5 from opening them for writing meanwhile (HDF5's own locks are of this kind), and `check`
    tells when one was removed or replaced: Caffe, which opens each again and again, would end the process, or go on
    with other pairs.

    Parameters
    ----------
    paths : iterable of Path

    Raises
    ------
    DataError
        One is locked by a writer.
    OSError
        One cannot be opened.
    """

    def __init__(self, paths):
        self._files = {}
        try:
            for path in paths:
                self._hold(path)
        except BaseException:
            self.close()
            raise

    def _hold(self, path):
        if path in self._files:
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._files[path] = descriptor, _state(os.fstat(descriptor))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"{path}: locked by another process, which writes to it; wait for that process to end"
            ) from error
        except OSError:
            pass  # a disk that knows no locks

    def check(self, paths):
        """Raise DataError when one of `paths`, which are held, is no longer what it was."""
        for path in paths:
            try:
                now = _state(path.stat())
            except OSError as error:
                gone = "was there when the training began, and is not now"
                raise DataError(f"{path}: {gone} ({error.strerror})") from error
            if now != self._files[path][1]:
                raise DataError(f"{path}: was changed or replaced while the training read it")

    def close(self):
        """Give the shards free."""
        for descriptor, _ in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def _state(found):
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
