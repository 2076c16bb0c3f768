# SPDX-License-Identifier: MIT
# One program per kind of counter that many threads add to.

# bench_counter(NAME HEADER [OPTIONS ...] [LIBRARIES ...])
function(bench_counter name header)
  cmake_parse_arguments(PEER "" "" "OPTIONS;LIBRARIES" ${ARGN})
  set(sources main_percpu.c workloads/percpu/memory.c workloads/percpu/add.c)
  bench_program(bench-${name} none "${sources}"
    "-DBENCH_COUNTER=\"counters/${header}.h\";${PEER_OPTIONS}" "${PEER_LIBRARIES}")
  set(bench_manifest "${bench_manifest}peer\t${name}\t$<TARGET_FILE:bench-${name}>\n" PARENT_SCOPE)
endfunction()

bench_counter(bma-percpu bma LIBRARIES bma)
bench_counter(bma-percpu-exported bma OPTIONS -DBMA_NO_INLINE LIBRARIES bma)
bench_counter(padded padded)
bench_counter(atomic shared)
bench_counter(thread-local thread_local)
