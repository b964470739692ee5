#if defined(__x86_64__)
#define LANES 256
#define PLAN_SWEEP mn_plan_sweep_avx2
#include "learn/plan_sweep_kernel.h"
#endif
