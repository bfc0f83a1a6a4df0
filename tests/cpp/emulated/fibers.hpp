// Runs the threads of a CUDA block on one thread of the host: each is a fiber, which gives way at a
// barrier. What the tests call a device is this.
#pragma once

#include <cstddef>
#include <functional>

namespace eigentropy::cuda::emulated {

// In which order the threads of a block run between two barriers. A kernel that lacks a barrier
// gives another result in one of them, or reads shared memory that nobody has written.
enum class Order { ascending, descending };
void set_order(Order order);

// body() once for each of `threads` threads, thread_index() telling which one it is. Throws
// logic_error if some threads wait at a barrier that others never reach.
void run_block(int threads, const std::function<void()>& body);

// One for each thread of the host. thread_local would take a call in every other file. The linker
// turns the access into one instruction in an executable. A model that is faster in the Python
// module, too, would ask the loader for the static memory of all shared variables, which it has
// not.
#define EIGENTROPY_PER_THREAD __thread

// Which thread of the block runs.
extern EIGENTROPY_PER_THREAD int running_thread;
inline int thread_index() { return running_thread; }

// All threads of the block, or of the caller's warp of 32, reach it before one goes on. Threads
// that have ended do not count.
void block_barrier();
void warp_barrier();

// The caller goes on when the condition holds, which another thread brings about, or what has been
// put off: later(action) runs when no thread can go on without it, the oldest first. A block must
// not end before all of it has run.
void wait_until(const std::function<bool()>& condition);
void later(std::function<void()> action);

// A thread has done what a GPU does not allow: run_block throws a logic_error of this text.
[[noreturn]] void fail(const char* text);

// Differs for every block that this thread of the host runs.
int block_number();

// What the caller's warp exchanges: 32 slots, zeros at first.
constexpr std::size_t slot_bytes = 128;
void* warp_slots();

// Shared memory of the block whose size the launch gives; every byte is 0xFF (NaN) at first.
void* dynamic_shared();
void set_dynamic_shared(std::size_t bytes);

}  // namespace eigentropy::cuda::emulated
