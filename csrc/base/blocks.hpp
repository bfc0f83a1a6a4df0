// Blocks of vectors, side by side.
#pragma once

#include <vector>

#include "base/views.hpp"

namespace eigentropy {

// V = [V_1 V_2 ...], side by side. Every block has its rows without room between them.
template <class T>
using Blocks = std::vector<MatrixView<const T>>;

}  // namespace eigentropy
