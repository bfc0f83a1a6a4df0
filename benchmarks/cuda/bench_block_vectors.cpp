// Blocks of vectors: inner products and combinations with a basis of k vectors.
#include <cmath>

#include "cuda/operator/block_vectors.hpp"
#include "yardsticks.hpp"

namespace eigentropy::cuda::bench {
namespace {

template <class T>
struct Vectors {
  Vectors(const Queue& queue, const benchmark::State& state)
      : n(state.range(0)),
        k(state.range(1)),
        m(state.range(2)),
        v(gaussian_values<T>(queue, n * k, 1)),
        w(gaussian_values<T>(queue, n * m, 2)) {}
  Blocks<T> V() const { return {{v.data(), n, k, k}}; }
  MatrixView<const T> W() const { return {w.data(), n, m, m}; }
  MatrixView<T> out() const { return {w.data(), n, m, m}; }

  // Both are read once, or V is read and W written.
  void count(benchmark::State& state) const {
    const auto rows = static_cast<double>(n);
    count_flops<T>(state, 2.0 * rows * static_cast<double>(k) * static_cast<double>(m));
    count_bytes(state, rows * static_cast<double>(k + m) * sizeof(T));
  }

  index_t n, k, m;
  DeviceBuffer<T> v, w;
};

template <class T>
void inner_products(benchmark::State& state) {
  const Queue queue(0, nullptr);
  const Vectors<T> vectors(queue, state);
  double last = 0.0;
  run(state, queue, [&] {
    const auto products = inner<T>(queue, vectors.V(), vectors.W());
    last = products[products.size() - 1];
  });
  // Of independent entries: some sqrt(n).
  if (!(std::abs(last) <= 10.0 * std::sqrt(static_cast<double>(vectors.n)))) {
    state.SkipWithError("wrong result");
  }
  vectors.count(state);
}

template <class T>
void combination(benchmark::State& state) {
  const Queue queue(0, nullptr);
  const Vectors<T> vectors(queue, state);
  Buffer<T> C(vectors.k * vectors.m);
  for (T& c : C) c = 0;
  C[C.size() - 1] = 1;  // the last column becomes the basis's last
  run(state, queue, [&] { combine<T>(queue, vectors.V(), C.data(), vectors.out()); });
  const auto last = to_host(queue, vectors.w.data() + vectors.w.size() - 1, 1)[0];
  if (last != to_host(queue, vectors.v.data() + vectors.v.size() - 1, 1)[0]) {
    state.SkipWithError("wrong result");
  }
  vectors.count(state);
}

void axes(benchmark::internal::Benchmark* benchmark) {
  timed(benchmark)->ArgNames({"n", "k", "m"});
  for (const index_t k : {16, 80, 400}) {
    for (const index_t m : {16, 80}) benchmark->Args({sized(100'000, 600), k, m});
  }
}

}  // namespace

void register_block_vectors() {
  axes(benchmark::RegisterBenchmark("inner<float>", inner_products<float>));
  axes(benchmark::RegisterBenchmark("inner<double>", inner_products<double>));
  axes(benchmark::RegisterBenchmark("combine<float>", combination<float>));
  axes(benchmark::RegisterBenchmark("combine<double>", combination<double>));
}

}  // namespace eigentropy::cuda::bench
