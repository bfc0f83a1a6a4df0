// What warpgroups of compute capability 9.0 have of their own, one function for each instruction of
// PTX (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions", "Data Movement and Conversion
// Instructions: Asynchronous copy", "mbarrier"). A warpgroup is 128 threads that follow each other
// from a multiple of 128 on. Operands of products lie in shared memory as the copy engine puts them
// there: rows of 128 bytes, swizzled.
//
// Only code for sm_90a may call the functions. Addresses are those of shared memory.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "cuda/kernel/product_tile.hpp"

namespace eigentropy::cuda::warpgroup {

// Numbers of half precision in the 128 bytes of a row.
constexpr int box_columns = 64;

inline __device__ std::uint32_t shared_address(const void* pointer) {
#ifdef __CUDACC__
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
#else
  return emulated::shared_address(pointer);
#endif
}

// A barrier of 8 bytes. A phase of the barrier ends when `arrivals` threads have arrived, and all
// bytes that these threads expect. Phases have parity 0 and 1 by turns.
inline __device__ void init_barrier(std::uint32_t barrier, unsigned arrivals) {
#ifdef __CUDACC__
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
#else
  emulated::init_barrier(barrier, arrivals);
#endif
}

// Lets the copy engine see the barriers that this thread has made.
inline __device__ void publish_barriers() {
#ifdef __CUDACC__
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

inline __device__ void arrive(std::uint32_t barrier) {
#ifdef __CUDACC__
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
#else
  emulated::arrive(barrier);
#endif
}

inline __device__ void arrive_and_expect(std::uint32_t barrier, unsigned bytes) {
#ifdef __CUDACC__
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
#else
  emulated::arrive_and_expect(barrier, bytes);
#endif
}

// Waits until the phase of this parity has ended. No phase before the first counts as one of parity
// 1 that has.
inline __device__ void wait_for_phase(std::uint32_t barrier, unsigned parity) {
#ifdef __CUDACC__
  unsigned ended = 0;
  while (ended == 0) {
    asm volatile(
        "{ .reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p; }"
        : "=r"(ended)
        : "r"(barrier), "r"(parity)
        : "memory");
  }
#else
  emulated::wait_for_phase(barrier, parity);
#endif
}

// Barriers that have numbers, 1 .. 15: `threads` arrive, a multiple of 32, and some of them wait.
inline __device__ void wait_at(int number, int threads) {
#ifdef __CUDACC__
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
#else
  emulated::named_barrier(number, threads, true);
#endif
}
inline __device__ void arrive_at(int number, int threads) {
#ifdef __CUDACC__
  asm volatile("bar.arrive %0, %1;" ::"r"(number), "r"(threads) : "memory");
#else
  emulated::named_barrier(number, threads, false);
#endif
}

// The box of a matrix with its first row and column here, to a multiple of 1024. Beyond the matrix
// are zeros. The bytes arrive at the barrier.
inline __device__ void copy_box(std::uint32_t to, const CUtensorMap& map, std::uint32_t barrier,
                                int column, int row) {
#ifdef __CUDACC__
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4}], [%2];" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(column), "r"(row)
      : "memory");
#else
  emulated::copy_box(to, map, barrier, column, row);
#endif
}

// Bytes as they are: 16, or a multiple, from and to multiples of 16.
inline __device__ void copy_bytes(std::uint32_t to, const void* from, unsigned bytes,
                                  std::uint32_t barrier) {
#ifdef __CUDACC__
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(to),
      "l"(from), "r"(bytes), "r"(barrier)
      : "memory");
#else
  emulated::copy_bytes(to, from, bytes, barrier);
#endif
}

// All threads of a warpgroup give registers back, or take them: then each has `count`.
template <int count>
__device__ void give_registers() {
#ifdef __CUDACC__
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
#endif
}
template <int count>
__device__ void take_registers() {
#ifdef __CUDACC__
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

// Describes an operand for a product, at a multiple of 1024 plus 32 times a step of 16 numbers: its
// rows have their numbers side by side, and eight rows take 1024 bytes. The fields: the address,
// what is ignored for such operands, the distance of eight rows (all by 16), and the swizzle.
inline __device__ std::uint64_t operand_at(std::uint32_t address) {
  constexpr std::uint64_t ignored = 1ULL << 16, eight_rows = 64ULL << 32, by_128_bytes = 1ULL << 62;
  return ((address & 0x3ffffU) >> 4) | ignored | eight_rows | by_128_bytes;
}
// The operand's next 16 numbers, of the same 64.
constexpr std::uint64_t next_step = 2;

// Products run while the warpgroup goes on. begin_products() comes after its threads have written
// registers that products use, commit_products() makes a group of the products since the last one,
// and wait_for_products<n>() waits until at most n groups have not ended. Until then neither
// operands nor registers of a product may be touched.
inline __device__ void begin_products() {
#ifdef __CUDACC__
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#else
  emulated::begin_products();
#endif
}
inline __device__ void commit_products() {
#ifdef __CUDACC__
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  emulated::commit_products();
#endif
}
template <int pending = 0>
__device__ void wait_for_products() {
#ifdef __CUDACC__
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
#else
  emulated::wait_for_products(pending);
#endif
}

// Keeps the compiler from moving what it does with these registers across this line.
template <int count>
__device__ void keep_here([[maybe_unused]] float (&registers)[count]) {
#ifdef __CUDACC__
  EIGENTROPY_UNROLL
  for (float& value : registers) asm volatile("" : "+f"(value)::"memory");
#endif
}

// Where a thread's registers belong in D (64 x columns) of a product: d[e] is D(row_of(e),
// col_of(e)). In A (64 x 16) from registers, a[r] has the columns 2 (lane % 4) + 8 (r / 2) and the
// one after it, of row_of(2 (r % 2)): of D's columns 16 s to 16 s + 15, d[8 s + 2 r] and the one
// after it.
struct Place {
  int row, col;
  __device__ Place()
      : row(static_cast<int>(threadIdx.x) % 128 / 32 * 16 + static_cast<int>(threadIdx.x) % 32 / 4),
        col(static_cast<int>(threadIdx.x) % 4 * 2) {}
  __device__ int row_of(int e) const { return row + e / 2 % 2 * 8; }
  __device__ int col_of(int e) const { return col + e / 4 * 8 + e % 2; }
};

#ifdef __CUDACC__
// Names of the first registers of an instruction, and the registers themselves.
#define EIGENTROPY_NAMES_8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define EIGENTROPY_NAMES_16 EIGENTROPY_NAMES_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define EIGENTROPY_NAMES_24 EIGENTROPY_NAMES_16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define EIGENTROPY_NAMES_32 EIGENTROPY_NAMES_24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define EIGENTROPY_NAMES_40 EIGENTROPY_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define EIGENTROPY_NAMES_48 EIGENTROPY_NAMES_40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define EIGENTROPY_NAMES_56 EIGENTROPY_NAMES_48 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define EIGENTROPY_NAMES_64 EIGENTROPY_NAMES_56 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define EIGENTROPY_EIGHT(d, k)                                                        \
  "+f"(d[k]), "+f"(d[(k) + 1]), "+f"(d[(k) + 2]), "+f"(d[(k) + 3]), "+f"(d[(k) + 4]), \
      "+f"(d[(k) + 5]), "+f"(d[(k) + 6]), "+f"(d[(k) + 7])
#define EIGENTROPY_REGISTERS_8(d) EIGENTROPY_EIGHT(d, 0)
#define EIGENTROPY_REGISTERS_16(d) EIGENTROPY_REGISTERS_8(d), EIGENTROPY_EIGHT(d, 8)
#define EIGENTROPY_REGISTERS_24(d) EIGENTROPY_REGISTERS_16(d), EIGENTROPY_EIGHT(d, 16)
#define EIGENTROPY_REGISTERS_32(d) EIGENTROPY_REGISTERS_24(d), EIGENTROPY_EIGHT(d, 24)
#define EIGENTROPY_REGISTERS_40(d) EIGENTROPY_REGISTERS_32(d), EIGENTROPY_EIGHT(d, 32)
#define EIGENTROPY_REGISTERS_48(d) EIGENTROPY_REGISTERS_40(d), EIGENTROPY_EIGHT(d, 40)
#define EIGENTROPY_REGISTERS_56(d) EIGENTROPY_REGISTERS_48(d), EIGENTROPY_EIGHT(d, 48)
#define EIGENTROPY_REGISTERS_64(d) EIGENTROPY_REGISTERS_56(d), EIGENTROPY_EIGHT(d, 56)
#endif

// d (64 x 128) <- A B^T, or d + A B^T if `accumulate`, for 16 numbers of each row of A (64 rows)
// and B (128 rows), both described by operand_at().
inline __device__ void add_product(float (&d)[64], std::uint64_t a, std::uint64_t b,
                                   bool accumulate) {
#ifdef __CUDACC__
  asm volatile(
      "{ .reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {" EIGENTROPY_NAMES_64
      "}, %64, %65, p, 1, 1, 0, 0; }"
      : EIGENTROPY_REGISTERS_64(d)
      : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
#else
  emulated::add_product(d, 128, a, b, accumulate);
#endif
}

// The same with A in registers, for B with as many rows as d has columns.
template <int columns>
__device__ void add_product(float (&d)[columns / 2], const std::uint32_t (&a)[4], std::uint64_t b,
                            bool accumulate) = delete;
#ifdef __CUDACC__
#define EIGENTROPY_PRODUCT(columns, registers, a0, a1, a2, a3, b_name, flag)                      \
  template <>                                                                                     \
  inline __device__ void add_product<columns>(float (&d)[registers], const std::uint32_t (&a)[4], \
                                              std::uint64_t b, bool accumulate) {                 \
    asm volatile(                                                                                 \
        "{ .reg .pred p;\n"                                                                       \
        "setp.ne.b32 p, " flag                                                                    \
        ", 0;\n"                                                                                  \
        "wgmma.mma_async.sync.aligned.m64n" #columns                                              \
        "k16.f32.f16.f16 {" EIGENTROPY_NAMES_##registers "}, {" a0 ", " a1 ", " a2 ", " a3        \
                                                         "}, " b_name ", p, 1, 1, 0; }"           \
        : EIGENTROPY_REGISTERS_##registers(d)                                                     \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(accumulate))); \
  }
#else
#define EIGENTROPY_PRODUCT(columns, registers, a0, a1, a2, a3, b_name, flag)                      \
  template <>                                                                                     \
  inline __device__ void add_product<columns>(float (&d)[registers], const std::uint32_t (&a)[4], \
                                              std::uint64_t b, bool accumulate) {                 \
    emulated::add_product(d, columns, a, b, accumulate);                                          \
  }
#endif
EIGENTROPY_PRODUCT(16, 8, "%8", "%9", "%10", "%11", "%12", "%13")
EIGENTROPY_PRODUCT(32, 16, "%16", "%17", "%18", "%19", "%20", "%21")
EIGENTROPY_PRODUCT(48, 24, "%24", "%25", "%26", "%27", "%28", "%29")
EIGENTROPY_PRODUCT(64, 32, "%32", "%33", "%34", "%35", "%36", "%37")
EIGENTROPY_PRODUCT(80, 40, "%40", "%41", "%42", "%43", "%44", "%45")
#undef EIGENTROPY_PRODUCT

}  // namespace eigentropy::cuda::warpgroup
