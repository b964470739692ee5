#if defined(__x86_64__)
#define LANES 512
#define PLAN_SWEEP mn_plan_sweep_avx512
#include "learn/plan_sweep_kernel.h"
#endif
