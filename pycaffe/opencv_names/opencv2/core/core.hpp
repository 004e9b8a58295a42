// The one name of OpenCV that upstream's headers need with USE_OPENCV, declared and no more. Upstream keeps the tests of
// its LMDB layer and of its transformations of raw pixels inside #ifdef USE_OPENCV, though they call nothing of
// OpenCV's: with this file they compile and run without it (cmake/Tests.cmake).
#pragma once

namespace cv {
class Mat;
}
