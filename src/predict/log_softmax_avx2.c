#if defined(__x86_64__)
#define LANES 256
#define LOG_SOFTMAX_PASSES mn_log_softmax_avx2
#include "predict/log_softmax_kernel.h"
#endif
