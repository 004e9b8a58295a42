// Force-included in front of upstream's _caffe.cpp: NumPy's functions are looked up when the library is loaded. Upstream
// looks them up after it has described its classes, but as it does so Boost.Python already asks for the types in their
// documentation, and one of them is NumPy's array.
#pragma once

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>

namespace idn::compat {

// Without NumPy nothing is reported here: upstream tries again, and its exception reaches Python.
struct NumpyFirst {
  NumpyFirst() {
    if (_import_array() < 0) {
      PyErr_Clear();
    }
  }
};

static const NumpyFirst numpy_first;

}  // namespace idn::compat
