// What warpgroups of compute capability 9.0 have of their own, for the emulated device: barriers in
// shared memory that count arrivals and bytes, the copy engine, and products of a warpgroup, which
// go on while its threads do other things. Addresses are those of shared memory, as in PTX.
#pragma once

#include <cstdint>

#include "cuda.h"

namespace eigentropy::cuda::emulated {

// Copies and products take some time on a GPU. A kernel that does not wait for a copy, or writes
// over what is still being read, gives another result in one of these.
enum class Pace {
  slow_copies,   // data arrive when no thread can go on without them, products read at once
  slow_products  // data arrive at once, products read their operands when they are waited for
};
void set_pace(Pace pace);

// The block's dynamic shared memory begins at an address that is only a multiple of 16.
std::uint32_t shared_address(const void* pointer);

void init_barrier(std::uint32_t barrier, unsigned arrivals);
void arrive(std::uint32_t barrier);
void arrive_and_expect(std::uint32_t barrier, unsigned bytes);
// Until the phase of this parity has ended.
void wait_for_phase(std::uint32_t barrier, unsigned parity);

// Named barriers: `threads` of them arrive, of which some wait for the others.
void named_barrier(int name, int threads, bool waits);

// A box of a matrix whose upper left corner is here, in rows of 128 bytes, swizzled.
void copy_box(std::uint32_t to, const CUtensorMap& map, std::uint32_t barrier, int column, int row);
void copy_bytes(std::uint32_t to, const void* from, unsigned bytes, std::uint32_t barrier);

// wgmma. Registers that a product writes are NaN until it is waited for.
void begin_products();
void commit_products();
void wait_for_products(int pending);
// d (64 x columns) <- A B, or d + A B. A is described like B, or in registers.
void add_product(float* d, int columns, std::uint64_t a, std::uint64_t b, bool accumulate);
void add_product(float* d, int columns, const std::uint32_t (&a)[4], std::uint64_t b,
                 bool accumulate);

}  // namespace eigentropy::cuda::emulated
