#include "cpu/operator/symmetric_sweep.hpp"

#include <limits>
#include <vector>

#include "base/pipeline.hpp"
#include "base/threads.hpp"
#include "cpu/kernel/row_strips.hpp"
#include "cpu/simd/product_kernels.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

constexpr index_t strip = simd::strip_rows;
static_assert(sweep_tile % strip == 0, "tiles are whole strips");

// A chunk's rows of a tile stay in the first-level cache.
constexpr index_t widest_chunk = 64;
// The product kernels take multiples of this.
constexpr index_t narrowest_chunk = 16;
// This many single columns take as long as the narrowest chunk.
constexpr index_t few_columns = 4;

constexpr index_t round_up(index_t value, index_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

ColumnChunks::ColumnChunks(index_t number)
    : columns(number), unit(number <= few_columns ? 1 : narrowest_chunk) {
  padded = round_up(columns, unit);
  count = unit == 1 ? padded : (padded + widest_chunk - 1) / widest_chunk;
}

// Workspace of one thread.
template <class T>
struct SymmetricSweep<T>::Workspace {
  explicit Workspace(index_t columns)
      : tile(sweep_tile * sweep_tile),
        row_part(sweep_tile * widest_chunk),
        col_part(sweep_tile * widest_chunk),
        row_sums(sweep_tile * columns) {}
  Buffer<T> tile;
  Buffer<T> row_part, col_part;  // products of one tile for its rows and for its columns
  Buffer<double> row_sums;       // sums over all tiles of a row
};

// One row of tiles, which one thread multiplies.
template <class T>
class SymmetricSweep<T>::RowOfTiles {
 public:
  RowOfTiles(const SymmetricSweep& sweep, index_t begin, index_t end, const Workspace& work)
      : sweep_(sweep),
        chunks_(sweep.chunks_),
        begin_(begin),
        rows_(round_up(end - begin, strip)),
        work_(work) {
    std::fill_n(work.row_sums.data(), sweep_tile * chunks_.padded, 0.0);
  }

  SweepTile tile(index_t col_begin, index_t col_end) const {
    return {begin_, rows_, col_begin, round_up(col_end - col_begin, strip)};
  }

  // before_adding() is called before anything is added to the result. `next` is read after this.
  template <class BeforeAdding>
  void multiply(const SweepTile& tile, const T* entries, const Memory& next,
                const BeforeAdding& before_adding) const {
    for (index_t c = 0; c < chunks_.count; ++c) {
      const index_t width = chunks_.width(c);
      std::fill_n(work_.row_part.data(), tile.rows * width, T(0));
      std::fill_n(work_.col_part.data(), tile.cols * width, T(0));
      multiply_chunk(tile, entries, c, c == 0 ? next : Memory{});
      add_(tile.rows * width, work_.row_part.data(), row_sums(c));
      before_adding();
      add_(tile.cols * width, work_.col_part.data(), sweep_.sums(c, tile.col));
    }
  }

  void add_row_sums() const {
    for (index_t c = 0; c < chunks_.count; ++c) {
      const index_t count = rows_ * chunks_.width(c);
      double* const target = sweep_.sums(c, begin_);
      for (index_t i = 0; i < count; ++i) target[i] += row_sums(c)[i];
    }
  }

 private:
  double* row_sums(index_t c) const {
    return work_.row_sums.data() + sweep_tile * chunks_.begin(c);
  }

  void multiply_chunk(const SweepTile& tile, const T* entries, index_t c,
                      const Memory& next) const {
    const index_t width = chunks_.width(c);
    for_each_part(tile, [&](index_t i, index_t rows, index_t j, index_t cols, bool mirrored) {
      const Part part{rows,
                      cols,
                      entries + i * sweep_tile + j,
                      sweep_.values(c, tile.row + i),
                      sweep_.values(c, tile.col + j),
                      work_.row_part.data() + i * width,
                      mirrored ? work_.col_part.data() + j * width : nullptr,
                      next};  // empty for a tile on the diagonal, which is the last of its row
      if (width == 1) {
        multiply_column(part);
      } else {
        multiply_columns(part, width);
      }
    });
  }

  // Part of a tile, the rows of V for its rows and its columns, and the rows of the result for
  // both. The result for the columns is null unless the part also stands for its mirror image.
  struct Part {
    index_t rows, cols;
    const T *entries, *of_rows, *of_cols;
    T *row_part, *col_part;
    Memory next;
  };

  void multiply_columns(const Part& part, index_t width) const {
    products_.multiply_and_fetch(part.rows, part.cols, width, part.entries, sweep_tile, 1,
                                 part.of_cols, part.row_part, part.next.begin, part.next.bytes);
    if (part.col_part == nullptr) return;
    products_.multiply(part.cols, part.rows, width, part.entries, 1, sweep_tile, part.of_rows,
                       part.col_part);
  }

  void multiply_column(const Part& part) const {
    T row_sums[sweep_tile], col_sums[sweep_tile];
    tiles_.weighted_sums(part.entries, part.rows, part.cols, sweep_tile, part.of_rows, part.of_cols,
                         row_sums, part.col_part == nullptr ? nullptr : col_sums);
    for (index_t i = 0; i < part.rows; ++i) part.row_part[i] += row_sums[i];
    if (part.col_part == nullptr) return;
    for (index_t j = 0; j < part.cols; ++j) part.col_part[j] += col_sums[j];
  }

  const SymmetricSweep& sweep_;
  const ColumnChunks& chunks_;
  const simd::ProductKernels<T>& products_ = simd::product_kernels<T>();
  const simd::TileKernels<T>& tiles_ = simd::tile_kernels<T>();
  void (*add_)(index_t, const T*, double*) = simd::gaussian_kernels<T>().add;
  index_t begin_, rows_;
  const Workspace& work_;
};

template <class T>
SymmetricSweep<T>::SymmetricSweep(index_t n, index_t columns, int threads)
    : rows_(padded_rows(n)),
      threads_(threads),
      chunks_(columns),
      V_(rows_ * chunks_.padded),
      sums_(rows_ * chunks_.padded) {}

template <class T>
template <class S>
void SymmetricSweep<T>::load(MatrixView<const S> V, const double* factors, index_t first) {
  parallel_for(padded_rows(V.rows) / strip, threads_, [&](index_t block, int) {
    for (index_t i = block * strip; i < (block + 1) * strip; ++i) {
      const double factor = factors == nullptr || i >= V.rows ? 1.0 : factors[i];
      for (index_t c = 0; c < chunks_.count; ++c) {
        const index_t width = chunks_.width(c), begin = chunks_.begin(c);
        T* const v = values(c, first + i);
        std::fill_n(sums(c, first + i), width, 0.0);
        for (index_t j = 0; j < width; ++j) {
          const bool inside = i < V.rows && begin + j < V.cols;
          v[j] = inside ? static_cast<T>(factor * static_cast<double>(V.row(i)[begin + j])) : T(0);
        }
      }
    }
  });
}

template <class T>
void SymmetricSweep<T>::run(const Stretch& rows, const Stretch& cols, TileSource<T>& source,
                            Stage& stage) {
  const bool triangle = rows.begin == cols.begin;
  Pipeline pipeline(rows.tiles());
  std::vector<Workspace> workspaces;
  for (int worker = 0; worker < threads_; ++worker) workspaces.emplace_back(chunks_.padded);
  const auto run_row = [&](index_t row, const Workspace& work) {
    const index_t begin = rows.begin + row * sweep_tile;
    const RowOfTiles tiles(*this, begin, std::min(rows.end, begin + sweep_tile), work);
    index_t ready = row == 0 ? std::numeric_limits<index_t>::max() : 0;
    // From the right, where every row has a tile: the next row of tiles can then follow one tile
    // behind.
    const index_t steps = cols.tiles() - (triangle ? row : 0);
    const auto at_step = [&](index_t step) {
      const index_t left = cols.begin + (cols.tiles() - step) * sweep_tile;
      return tiles.tile(left, std::min(cols.end, left + sweep_tile));
    };
    for (index_t step = 1; step <= steps; ++step) {
      const SweepTile tile = at_step(step);
      const T* const entries = source.get(tile, work.tile.data());
      const Memory next = step < steps ? source.reads(at_step(step + 1)) : Memory{};
      tiles.multiply(tile, entries, next, [&] {
        if (ready < step) ready = pipeline.wait(row - 1, step, stage.control());
      });
      pipeline.advance(row, step);
      stage.finish_task();
    }
    tiles.add_row_sums();
    pipeline.finish(row);
  };
  parallel_for(rows.tiles(), threads_, [&](index_t row, int worker) {
    try {
      run_row(row, workspaces[static_cast<std::size_t>(worker)]);
    } catch (...) {
      pipeline.stop();
      throw;
    }
  });
}

template <class T>
template <class S>
void SymmetricSweep<T>::store(const double* factors, MatrixView<S> out, index_t first) const {
  parallel_for(padded_rows(out.rows) / strip, threads_, [&](index_t block, int) {
    for (index_t i = block * strip; i < std::min(out.rows, (block + 1) * strip); ++i) {
      const double factor = factors == nullptr ? 1.0 : factors[i];
      for (index_t c = 0; c < chunks_.count; ++c) {
        const index_t begin = chunks_.begin(c);
        const index_t count = std::min(chunks_.columns - begin, chunks_.width(c));
        const double* const sum = sums(c, first + i);
        for (index_t j = 0; j < count; ++j) out.row(i)[begin + j] = static_cast<S>(factor * sum[j]);
      }
    }
  });
}

#define EIGENTROPY_INSTANTIATE(T)                                                          \
  template class SymmetricSweep<T>;                                                        \
  template void SymmetricSweep<T>::load(MatrixView<const float>, const double*, index_t);  \
  template void SymmetricSweep<T>::load(MatrixView<const double>, const double*, index_t); \
  template void SymmetricSweep<T>::store(const double*, MatrixView<float>, index_t) const; \
  template void SymmetricSweep<T>::store(const double*, MatrixView<double>, index_t) const;
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
