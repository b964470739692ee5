#define LANES 0
#define LOG_SOFTMAX_PASSES mn_log_softmax_plain
#include "predict/log_softmax_kernel.h"
