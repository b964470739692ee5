#if defined(__x86_64__)
#define LANES 512
#define LOG_SOFTMAX_PASSES mn_log_softmax_avx512
#include "predict/log_softmax_kernel.h"
#endif
