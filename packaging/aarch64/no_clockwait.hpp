// Included before everything else: std::condition_variable does without pthread_cond_clockwait,
// which glibc has since 2.30.
#include <bits/c++config.h>
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
