#!/bin/sh
# llama.cpp's own batched-bench beside bench_rollout: the same weights, sessions, symbols and threads. Built from the same source.
# usage: batched_bench.sh LLAMA_SOURCE BUILD_FOLDER WEIGHTS.gguf [sessions] [symbols]
set -eu
source=$1 build=$2 weights=$3 sessions=${4:-64} symbols=${5:-64}
[ -x "$build/bin/llama-batched-bench" ] || {
    cmake -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF \
        -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
        -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF
    ninja -C "$build" llama-batched-bench
} >&2
exec "$build/bin/llama-batched-bench" -m "$weights" -c $((sessions * 256)) -npp 16 -ntg "$symbols" -npl "$sessions" -t 1 -tb 1 -fa on \
    --no-kv-unified
