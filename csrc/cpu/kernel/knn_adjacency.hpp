// Which rows are near neighbours.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

// Binary adjacency matrix, n x n: out_ij = 1 if z_j is within the distance of the k-th nearest row
// to z_i, where z_i itself is the first. All ties are included, so that a row may have more than k
// ones.
template <class T>
void knn_adjacency(const CenteredRows<T>& X, index_t k, MatrixView<T> out, int threads,
                   Control& control);

}  // namespace eigentropy
