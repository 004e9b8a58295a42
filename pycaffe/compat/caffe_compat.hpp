// Force-included in front of every Caffe source file: what has changed in the libraries since 2018 is mended
// here, so that upstream's files stay as they are. One entry a break, each with its cause.
#pragma once

// protobuf 3.18 dropped the second argument (a warning threshold) of CodedInputStream::SetTotalBytesLimit, which
// util/io.cpp still passes. The header comes first: older ones declare both forms, and the macro would merge them.
#include <google/protobuf/io/coded_stream.h>
#define SetTotalBytesLimit(limit, ...) SetTotalBytesLimit(limit)

#ifndef CPU_ONLY
#include "../cuda/upstream_names.hpp"
#endif
