// How long a number takes from one core to another. Threads that work on one matrix wait for that
// again and again. It takes several times as long where the cores share no cache. The host of a
// virtual machine may move its processors to such cores at any time: run this before and after a
// measurement.
#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>

namespace eigentropy::bench {
namespace {

void handover(benchmark::State& state) {
  alignas(64) std::atomic<int> number{0};
  alignas(64) std::atomic<bool> stop{false};
  std::thread other([&] {  // makes an odd number even
    while (!stop.load(std::memory_order_relaxed)) {
      const int now = number.load(std::memory_order_acquire);
      if (now % 2 == 1) number.store(now + 1, std::memory_order_release);
    }
  });
  constexpr int turns = 10000;
  for (auto _ : state) {
    for (int turn = 0; turn < turns; ++turn) {
      const int now = number.load(std::memory_order_relaxed);
      number.store(now + 1, std::memory_order_release);
      while (number.load(std::memory_order_acquire) != now + 2) {
      }
    }
    number.store(0, std::memory_order_relaxed);
  }
  stop.store(true, std::memory_order_relaxed);
  other.join();
  state.counters["one way"] = benchmark::Counter(
      2.0 * turns, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(handover)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace eigentropy::bench
