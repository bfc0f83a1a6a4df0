#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <future>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/threads.hpp"
#include "checkers.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/operator/diffusion.hpp"
#include "matrices.hpp"

extern "C" int scipy_openblas_get_num_threads(void);

namespace eigentropy::testing {
namespace {

int blas_threads() { return scipy_openblas_get_num_threads(); }

// Sets the number of threads for one test.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(thread_count()) { set_thread_count(count); }
  ~ThreadCount() { set_thread_count(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

TEST(ThreadLimit, HoldsForTheThreadThatSetsItAlone) {
  const ThreadCount five(5);
  EXPECT_EQ(thread_limit(), 0);
  EXPECT_EQ(thread_count(), 5);
  std::thread([] {
    limit_threads(2);
    EXPECT_EQ(thread_limit(), 2);
    EXPECT_EQ(thread_count(), 2);
    limit_threads(9);  // there are no more than all
    EXPECT_EQ(thread_count(), 5);
    limit_threads(-1);  // which is none
    EXPECT_EQ(thread_limit(), 0);
    EXPECT_EQ(thread_count(), 5);
    limit_threads(1);
  }).join();
  EXPECT_EQ(thread_limit(), 0);
  EXPECT_EQ(thread_count(), 5);
}

TEST(ParallelFor, VisitsEachIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    for (const index_t count : {0, 1, 2, 3, 61, 10'000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, threads,
                   [&](index_t index, int) { ++visits[static_cast<std::size_t>(index)]; });
      for (const auto& visit : visits) EXPECT_EQ(visit.load(), 1);
    }
  }
}

TEST(ParallelFor, WorkersAreFewerThanThreadsAndNeverShared) {
  for (const int threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> busy(static_cast<std::size_t>(threads));
    std::atomic<int> shared{0};
    parallel_for(2'000, threads, [&](index_t, int worker) {
      auto& mine = busy.at(static_cast<std::size_t>(worker));
      if (mine.fetch_add(1) != 0) ++shared;
      mine.fetch_sub(1);
    });
    EXPECT_EQ(shared.load(), 0);
  }
}

TEST(ParallelFor, OneThreadIsTheCallersOwnAndGoesInOrder) {
  const auto caller = std::this_thread::get_id();
  std::vector<index_t> order;
  parallel_for(5, 1, [&](index_t index, int) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    order.push_back(index);
  });
  EXPECT_EQ(order, (std::vector<index_t>{0, 1, 2, 3, 4}));
}

TEST(ParallelFor, AnExceptionStopsTheLoopAndReachesTheCaller) {
  for (const int threads : {1, 2, 5}) {
    constexpr index_t count = 1'000'000;
    std::atomic<index_t> visited{0};
    const auto run = [&] {
      parallel_for(count, threads, [&](index_t index, int) {
        ++visited;
        if (index == 100) throw std::out_of_range("the 100th");
      });
    };
    EXPECT_THROW(run(), std::out_of_range);
    EXPECT_LT(visited.load(), count);
  }
}

TEST(ParallelFor, OneOfManyExceptionsIsEnough) {
  const auto run = [] {
    parallel_for(100, 5, [](index_t, int) { throw std::range_error("all"); });
  };
  EXPECT_THROW(run(), std::range_error);
}

TEST(ParallelFor, MayBeNested) {
  std::atomic<int> visits{0};
  parallel_for(7, 2, [&](index_t, int) { parallel_for(11, 2, [&](index_t, int) { ++visits; }); });
  EXPECT_EQ(visits.load(), 77);
}

TEST(ThreadTeams, RunManyLoopsOneAfterTheOther) {
  for (const int threads : {1, 2, 5}) {
    ThreadTeam team(threads);
    index_t total = 0;
    for (index_t loop = 0; loop < 2'000; ++loop) {
      std::vector<index_t> visits(static_cast<std::size_t>(loop % 7), 0);  // not atomic
      team.for_each(loop % 7, [&](index_t i, int) { visits[static_cast<std::size_t>(i)] += i; });
      for (const index_t sum : visits) total += sum;
    }
    EXPECT_EQ(total, 285 * 35 + 10);  // 35 in each seven loops, 10 in the last five
  }
}

TEST(ThreadTeams, GoOnAfterAnException) {
  ThreadTeam team(3);
  for (int turn = 0; turn < 50; ++turn) {
    EXPECT_THROW(team.for_each(20, [](index_t, int) { throw std::range_error("all"); }),
                 std::range_error);
    std::atomic<int> visits{0};
    team.for_each(20, [&](index_t, int) { ++visits; });
    EXPECT_EQ(visits.load(), 20);
  }
}

TEST(ThreadTeams, SleepWhenThereIsNothingToDo) {
  ThreadTeam team(4);
  // BLAS's own threads spin for a moment after they have started.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.1);  // three threads that spin would take some 0.4
}

// How many threads have taken part in loops of two tasks that wait for each other.
std::size_t threads_of_loops(int loops) {
  static std::atomic<int> count{0};
  std::set<int> seen;
  std::mutex lock;
  for (int loop = 0; loop < loops; ++loop) {
    std::atomic<int> here{0};
    parallel_for(2, 2, [&](index_t, int) {
      thread_local const int number = ++count;  // an identifier may be given to a later thread, too
      {
        const std::lock_guard<std::mutex> guard(lock);
        seen.insert(number);
      }
      for (++here; here.load() < 2;) std::this_thread::yield();
    });
  }
  return seen.size();
}

TEST(CommonTeams, RunTheLoopsOfTheirCallerOnTheSameThreads) {
  EXPECT_EQ(threads_of_loops(5), 6u);
  {
    const CommonTeam team(2);
    EXPECT_EQ(threads_of_loops(5), 2u);
    const CommonTeam same(2);
    EXPECT_EQ(threads_of_loops(5), 2u);
  }
  EXPECT_EQ(threads_of_loops(5), 6u);
}

TEST(CommonTeams, LeaveALoopTheThreadsThatItAsksFor) {
  const CommonTeam team(5);
  std::atomic<int> most{0};
  parallel_for(500, 2, [&](index_t, int worker) {
    if (worker > most.load()) most.store(worker);
  });
  EXPECT_LT(most.load(), 2);
  const CommonTeam none(1);  // changes nothing
  EXPECT_EQ(threads_of_loops(5), 2u);
}

TEST(CommonTeams, PassExceptionsOnAndGoOn) {
  const CommonTeam team(3);
  EXPECT_THROW(parallel_for(20, 3, [](index_t, int) { throw std::range_error(""); }),
               std::range_error);
  EXPECT_EQ(threads_of_loops(5), 2u);
}

// Distances, kernel, operator and eigenvalues: all that uses threads, of this library and of BLAS.
std::vector<double> spectrum_of_sample(index_t n) {
  const auto Z = gaussian_rows<double>(n, 5, 1);
  const auto X = center_rows<double, double>(Z.input(), thread_count());
  Control control;
  return as_doubles(diffusion_spectrum(X, {1.5, 0.5, true}, thread_count(), control).eigenvalues);
}

std::atomic<int> borrowed_loops{0};

// As an OpenMP runtime does it, but with as many threads as it likes.
void run_in_parallel(void (*function)(void*), void* data, unsigned threads, unsigned) {
  ++borrowed_loops;
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(function, data);
  function(data);
  for (std::thread& other : others) other.join();
}

void run_alone(void (*function)(void*), void* data, unsigned, unsigned) {
  ++borrowed_loops;
  function(data);
}

// Lends threads for one test.
class Lent {
 public:
  explicit Lent(OpenMpParallel parallel) {
    borrowed_loops = 0;
    lend_threads(parallel);
  }
  ~Lent() { lend_threads(nullptr); }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
};

TEST(BorrowedThreads, RunTheLoopsOfTheirCaller) {
  for (const OpenMpParallel parallel : {&run_in_parallel, &run_alone}) {
    const Lent lent(parallel);
    EXPECT_TRUE(threads_are_lent());
    const auto run = [] {
      std::vector<std::atomic<int>> visits(61), busy(3);
      std::atomic<int> shared{0};
      parallel_for(61, 3, [&](index_t index, int worker) {
        auto& mine = busy.at(static_cast<std::size_t>(worker));
        if (mine.fetch_add(1) != 0) ++shared;
        ++visits[static_cast<std::size_t>(index)];
        mine.fetch_sub(1);
      });
      for (const auto& visit : visits) EXPECT_EQ(visit.load(), 1);
      EXPECT_EQ(shared.load(), 0);
    };
    run();
    EXPECT_EQ(borrowed_loops.load(), 0);
    borrow_threads(5, [&] {  // more than the loops have room for
      for (int turn = 0; turn < 100; ++turn) run();
      std::thread(run).join();  // a thread that has not borrowed them
    });
    run();
    EXPECT_EQ(borrowed_loops.load(), 1);
  }
  EXPECT_FALSE(threads_are_lent());
}

// Of which two have to be in the loop at once for it to end.
TEST(BorrowedThreads, WorkAtTheSameTime) {
  const Lent lent(&run_in_parallel);
  borrow_threads(2, [] {
    std::atomic<int> there{0};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    parallel_for(2, 2, [&](index_t, int) {
      ++there;
      while (there < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    });
    EXPECT_EQ(there.load(), 2);
  });
}

// A helper that wakes for a loop while its crew is dismissed must not wait for another loop. The
// code before hung within this number of turns; ctest ends a test that hangs.
TEST(BorrowedThreads, AreLetGoWhenTheyWakeAtTheLastMoment) {
  const Lent lent(&run_in_parallel);
  std::atomic<int> visits{0};
  constexpr int turns = 20'000;
  for (int turn = 0; turn < turns; ++turn) {
    borrow_threads(4, [&] {
      for (volatile int spin = 0; spin < turn % 4'000 * 10;) spin = spin + 1;  // they fall asleep
      parallel_for(2, 2, [&](index_t, int) { ++visits; });
    });
  }
  EXPECT_EQ(visits.load(), 2 * turns);
}

TEST(BorrowedThreads, AreNotNeededForOneThread) {
  const Lent lent(&run_in_parallel);
  int visits = 0;
  borrow_threads(1, [&] { parallel_for(5, 3, [&](index_t, int) {}); });
  EXPECT_EQ(borrowed_loops.load(), 0);
  borrow_threads(2, [&] {
    parallel_for(5, 1, [&](index_t, int) { ++visits; });
    parallel_for(1, 5, [&](index_t, int) { ++visits; });
  });
  EXPECT_EQ(visits, 6);
}

TEST(BorrowedThreads, AreReplacedByTheCallersThreadWhereNoneAreLent) {
  const auto caller = std::this_thread::get_id();
  for (const int threads : {1, 3}) {
    int visits = 0;
    borrow_threads(threads, [&] {
      parallel_for(50, 3, [&](index_t, int) {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        ++visits;
      });
    });
    EXPECT_EQ(visits, 50);
  }
}

TEST(BorrowedThreads, ServeLoopsInsideOfLoopsAndOneTeamBesideAnother) {
  const Lent lent(&run_in_parallel);
  std::atomic<int> visits{0};
  borrow_threads(2, [&] {
    ThreadTeam team(2);
    parallel_for(7, 2, [&](index_t, int) { parallel_for(11, 2, [&](index_t, int) { ++visits; }); });
    team.for_each(5, [&](index_t, int) { ++visits; });
    borrow_threads(2, [&] { parallel_for(3, 2, [&](index_t, int) { ++visits; }); });
  });
  EXPECT_EQ(visits.load(), 85);
  EXPECT_EQ(borrowed_loops.load(), 1);
}

TEST(BorrowedThreads, PassExceptionsOn) {
  const Lent lent(&run_in_parallel);
  const auto fail = [](index_t, int) { throw std::range_error("all"); };
  borrow_threads(3, [&] {
    ThreadTeam team(3);
    for (int turn = 0; turn < 20; ++turn) EXPECT_THROW(team.for_each(20, fail), std::range_error);
  });
  EXPECT_THROW(borrow_threads(3, [&] { parallel_for(20, 3, fail); }), std::range_error);
  EXPECT_THROW(borrow_threads(3, [] { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST(BorrowedThreads, GiveTheSameNumbers) {
  const ThreadCount threads(3);
  const auto expected = spectrum_of_sample(400);
  const Lent lent(&run_in_parallel);
  borrow_threads(3, [&] { EXPECT_EQ(spectrum_of_sample(400), expected); });
  EXPECT_EQ(borrowed_loops.load(), 1);
}

TEST(ThreadCounts, BelowOneMeansOne) {
  const ThreadCount threads(-3);
  EXPECT_EQ(thread_count(), 1);
}

TEST(ThreadedBlasScopes, GiveBlasTheThreadsThatThereAre) {
  const ThreadCount threads(3);
  EXPECT_EQ(blas_threads(), 1);
  {
    const ThreadedBlas scope;
    EXPECT_EQ(blas_threads(), 3);
    {
      const ThreadedBlas inner;
    }
    EXPECT_EQ(blas_threads(), 3);
  }
  EXPECT_EQ(blas_threads(), 1);
}

TEST(SingleThreadedBlasScopes, EndWithTheLastOfThem) {
  const ThreadCount threads(3);
  const ThreadedBlas all_threads;
  {
    const SingleThreadedBlas outer;
    EXPECT_EQ(blas_threads(), 1);
    {
      const SingleThreadedBlas inner;
      EXPECT_EQ(blas_threads(), 1);
    }
    EXPECT_EQ(blas_threads(), 1);
  }
  EXPECT_EQ(blas_threads(), 3);
}

TEST(SingleThreadedBlasScopes, OfSeveralThreadsAreCounted) {
  const ThreadCount threads(3);
  const ThreadedBlas all_threads;
  std::promise<void> entered, leave;
  std::thread other([&] {
    const SingleThreadedBlas scope;
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  {
    const SingleThreadedBlas scope;
  }
  EXPECT_EQ(blas_threads(), 1);
  leave.set_value();
  other.join();
  EXPECT_EQ(blas_threads(), 3);
}

TEST(SingleThreadedBlasScopes, EndWithTheCountThatWasSetInside) {
  const ThreadCount threads(3);
  const ThreadedBlas all_threads;
  {
    const SingleThreadedBlas scope;
    set_thread_count(4);
    EXPECT_EQ(blas_threads(), 1);
  }
  EXPECT_EQ(blas_threads(), 4);
}

TEST(SingleThreadedBlasScopes, EndWhenAnExceptionPasses) {
  const ThreadCount threads(3);
  const ThreadedBlas all_threads;
  try {
    const SingleThreadedBlas scope;
    throw std::runtime_error("passing");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(blas_threads(), 3);
}

// Runs check() in a child process: true if it came back with true within a minute.
template <class Check>
bool holds_in_child(const Check& check) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // a deadlock ends the child, not the test
    _exit(check() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Fork, ChildComputesAfterTheParentHasUsedThreads) {
  const ThreadCount threads(2);
  const auto expected = spectrum_of_sample(400);
  EXPECT_TRUE(holds_in_child(
      [&] { return static_cast<bool>(all_near(spectrum_of_sample(400), expected, 1e-13)); }));
}

TEST(Fork, ChildHasNoThreadsToBorrow) {
  const Lent lent(&run_in_parallel);
  const auto computes = [] {
    std::atomic<int> visits{0};
    borrow_threads(2, [&] { parallel_for(7, 2, [&](index_t, int) { ++visits; }); });
    return !threads_are_lent() && visits == 7 && borrowed_loops <= 1;
  };
  EXPECT_TRUE(holds_in_child(computes));
  borrow_threads(2, [&] { EXPECT_TRUE(holds_in_child(computes)); });
  EXPECT_TRUE(threads_are_lent());
}

// Helpers that go to sleep after a loop hold a lock in turn, which no thread of the child would
// give back. With many of them a child finds the lock taken after a few forks.
TEST(Fork, ChildDoesNotWaitForALockOfAHelper) {
  constexpr int threads = 64;
  const Lent lent(&run_in_parallel);
  borrow_threads(threads, [&] {
    bool held = true;
    for (int turn = 0; held && turn < 100; ++turn) {
      parallel_for(threads, threads, [](index_t, int) {});
      held = holds_in_child([] {
        std::atomic<int> visits{0};
        borrow_threads(2, [&] { parallel_for(7, 2, [&](index_t, int) { ++visits; }); });
        return visits == 7;
      });
    }
    EXPECT_TRUE(held);
  });
}

TEST(Fork, ChildOfAScopeStartsWithoutIt) {
  const ThreadCount threads(2);
  const auto expected = spectrum_of_sample(300);
  const SingleThreadedBlas scope;
  EXPECT_TRUE(holds_in_child([&] {
    const ThreadedBlas all_threads;
    return blas_threads() == thread_count() && all_near(spectrum_of_sample(300), expected, 1e-13);
  }));
}

TEST(Fork, ChildIsNotBlockedByAThreadThatIsEnteringAScope) {
  const ThreadCount threads(2);
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) const SingleThreadedBlas scope;
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(holds_in_child([] {
      const SingleThreadedBlas scope;
      return blas_threads() == 1;
    }));
  }
  done = true;
  other.join();
}

TEST(Fork, ChildOfAChildComputesToo) {
  const ThreadCount threads(2);
  const auto expected = spectrum_of_sample(300);
  const auto right = [&] {
    return static_cast<bool>(all_near(spectrum_of_sample(300), expected, 1e-13));
  };
  EXPECT_TRUE(holds_in_child([&] { return right() && holds_in_child(right); }));
}

TEST(ConcurrentCallers, GetTheResultOfACallAlone) {
  const ThreadCount threads(2);
  const auto expected = spectrum_of_sample(300);
  std::vector<std::future<std::vector<double>>> results;
  for (int i = 0; i < 4; ++i) {
    results.push_back(std::async(std::launch::async, spectrum_of_sample, 300));
  }
  for (auto& result : results) EXPECT_TRUE(all_near(result.get(), expected, 1e-13));
}

}  // namespace
}  // namespace eigentropy::testing
