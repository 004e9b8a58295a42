"""The error that a user can mend, and the one that says that memory ran out."""


class UserError(Exception):
    """A mistake the user can mend: one line that names the thing, what was expected and what to do."""


# how Caffe's CUDA build begins what it says of a full GPU, see pycaffe/cuda
_FULL_GPU = "out of memory on GPU"


def typed(error):
    """`error` (RuntimeError) of Caffe's, or the MemoryError that it stands for.

    Boost.Python makes a RuntimeError of the C++ exception for a full GPU. It becomes a MemoryError here and nowhere
    else, so that whoever runs nets catches a type.
    """
    return MemoryError(str(error)) if str(error).startswith(_FULL_GPU) else error
