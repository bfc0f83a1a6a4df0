// Distances in the maximum norm, for estimators of nearest neighbours.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// D_ij <- max(D_ij, max_c |x_(first + i),c - x_jc|), D.rows x X.rows, from a block of columns of
// the rows x_j. Each difference is rounded once and nothing else is rounded, so that equal
// distances stay equal however rows and columns are divided. All entries must be finite.
void raise_to_max_distances(MatrixView<const double> X, index_t first, MatrixView<double> D,
                            int threads, Control& control);

}  // namespace eigentropy
