#include "cpu/kernel/knn_adjacency.hpp"

#include <algorithm>

#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

template <class T>
void knn_adjacency(const CenteredRows<T>& X, index_t k, MatrixView<T> out, int threads,
                   Control& control) {
  squared_distances(X, out, threads, control);
  Buffer<T> row_copies(X.n * threads);
  parallel_for(X.n, threads, [&](index_t i, int worker) {
    T* row = out.row(i);
    T* sorted = row_copies.data() + worker * X.n;
    std::copy_n(row, X.n, sorted);
    std::nth_element(sorted, sorted + (k - 1), sorted + X.n);
    const T reach = sorted[k - 1];
    for (index_t j = 0; j < X.n; ++j) row[j] = row[j] <= reach ? T(1) : T(0);
    if (i % tile_size == 0) control.check();
  });
}

template void knn_adjacency(const CenteredRows<float>&, index_t, MatrixView<float>, int, Control&);
template void knn_adjacency(const CenteredRows<double>&, index_t, MatrixView<double>, int,
                            Control&);

}  // namespace eigentropy
