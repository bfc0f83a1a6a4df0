#include "yardsticks.hpp"

#include <algorithm>
#include <type_traits>

#include "cuda/blas.hpp"

namespace eigentropy::cuda::bench {
namespace {

double cube(index_t order) {
  const auto size = static_cast<double>(order);
  return size * size * size;
}

// Halves are multiplied by the tensor cores and summed in single precision.
template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
struct Product {
  explicit Product(const Queue& queue)
      : order(sized(8192, 64)),
        a(gaussian_values<T>(queue, order * order, 1)),
        b(gaussian_values<T>(queue, order * order, 2)),
        c(queue, order * order),
        handle(queue) {}
  void run() const {
    blas::gemm(handle, order, order, order, Sum<T>(1), {a.data(), order, 0, CUBLAS_OP_N},
               {b.data(), order, 0, CUBLAS_OP_N}, Sum<T>(0), {c.data(), order, 0});
  }
  double flops() const { return 2.0 * cube(order); }

  index_t order;
  DeviceBuffer<T> a, b;
  DeviceBuffer<Sum<T>> c;
  BlasHandle handle;
};

template <class T>
void gemm(benchmark::State& state) {
  const Queue queue(0, nullptr);
  const Product<T> product(queue);
  run(state, queue, [&] { product.run(); });
  state.counters["flops"] =
      benchmark::Counter(product.flops(), benchmark::Counter::kIsIterationInvariantRate);
}

struct Copy {
  explicit Copy(const Queue& on)
      : queue(on), size(sized(index_t{1} << 30, 1 << 16)), from(on, size), to(on, size) {
    check(cudaMemsetAsync(from.data(), 1, static_cast<std::size_t>(size), on.stream()),
          "cudaMemsetAsync");
  }
  void run() const { copy(queue, to.data(), from.data(), size); }
  double bytes() const { return 2.0 * static_cast<double>(size); }

  const Queue& queue;
  index_t size;
  DeviceBuffer<char> from, to;
};

void copy_memory(benchmark::State& state) {
  const Queue queue(0, nullptr);
  const Copy one(queue);
  run(state, queue, [&] { one.run(); });
  count_bytes(state, one.bytes());
}

template <class Body>
double best_seconds(const Queue& queue, const Body& body) {
  const Timer timer(queue);
  double best = timer.seconds(body);
  for (int i = 0; i < 5; ++i) best = std::min(best, timer.seconds(body));
  return best;
}

}  // namespace

bool& tiny() {
  static bool value = false;
  return value;
}

template <class T>
double gemm_rate() {
  static const double rate = [] {
    const Queue queue(0, nullptr);
    const Product<T> product(queue);
    return product.flops() / best_seconds(queue, [&] { product.run(); });
  }();
  return rate;
}
template double gemm_rate<__half>();
template double gemm_rate<float>();
template double gemm_rate<double>();

double copy_rate() {
  static const double rate = [] {
    const Queue queue(0, nullptr);
    const Copy one(queue);
    return one.bytes() / best_seconds(queue, [&] { one.run(); });
  }();
  return rate;
}

void register_yardsticks() {
  timed(benchmark::RegisterBenchmark("gemm<half>", gemm<__half>));
  timed(benchmark::RegisterBenchmark("gemm<float>", gemm<float>));
  timed(benchmark::RegisterBenchmark("gemm<double>", gemm<double>));
  timed(benchmark::RegisterBenchmark("copy", copy_memory));
}

}  // namespace eigentropy::cuda::bench
