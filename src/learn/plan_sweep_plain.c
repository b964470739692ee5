#define LANES 0
#define PLAN_SWEEP mn_plan_sweep_plain
#include "learn/plan_sweep_kernel.h"
