#if defined(__x86_64__)
#define LANES 256
#define TILT_PASSES mn_tilt_avx2
#include "regularize/tilt_kernel.h"
#endif
