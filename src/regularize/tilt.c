#include "regularize/tilt.h"

const mn_tilt_passes *mn_tilt(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return &mn_tilt_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &mn_tilt_avx2;
#endif
    return &mn_tilt_plain;
}
