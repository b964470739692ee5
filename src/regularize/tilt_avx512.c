#if defined(__x86_64__)
#define LANES 512
#define TILT_PASSES mn_tilt_avx512
#include "regularize/tilt_kernel.h"
#endif
