// Blocks of vectors, side by side.
#pragma once

#include <vector>

#include "base/views.hpp"

namespace eigentropy {

// V = [V_1 V_2 ...], side by side. The rows of each block lie in memory without gaps.
template <class T>
using Blocks = std::vector<MatrixView<const T>>;

}  // namespace eigentropy
