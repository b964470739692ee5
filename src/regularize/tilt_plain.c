#define LANES 0
#define TILT_PASSES mn_tilt_plain
#include "regularize/tilt_kernel.h"
