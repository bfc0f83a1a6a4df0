// A module that is linked on a newer system runs on those of glibc 2.28, too: for functions that have
// a newer version since then, the first one, which every later glibc still has. Hidden, so that the
// references of the module and of its static libstdc++ end here.
.macro older name
  .symver older_\name, \name@GLIBC_2.17
  .globl \name
  .hidden \name
  .type \name, %function
\name:
  b older_\name
.endm

.text
older exp
older exp2
older log
older log2
older pow
older pthread_create
older pthread_detach
older pthread_getspecific
older pthread_join
older pthread_key_create
older pthread_key_delete
older pthread_mutex_trylock
older pthread_once
older pthread_setspecific

// glibc 2.36 has this; std::random_device asks for it, which nothing of ours does.
.globl arc4random
.hidden arc4random
.type arc4random, %function
arc4random:
  stp x29, x30, [sp, -32]!
  mov x29, sp
  add x0, sp, 24
  mov x1, 4
  bl getentropy
  ldr w0, [sp, 24]
  ldp x29, x30, [sp], 32
  ret

// glibc 2.32 says here that there is one thread. 0: there may be several.
.data
.globl __libc_single_threaded
.hidden __libc_single_threaded
.type __libc_single_threaded, %object
.size __libc_single_threaded, 1
__libc_single_threaded:
  .byte 0
.section .note.GNU-stack, "", %progbits
