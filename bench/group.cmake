# SPDX-License-Identifier: MIT
# Accounting groups: one program, for their rows compare ways to pay in one process; and two whose pairs callgrind counts.
set(bench_group main_group.c)
foreach(workload made inlined exported private pair sixteen depth threads heap payers places vector)
  list(APPEND bench_group workloads/group/${workload}.c)
endforeach()
list(APPEND bench_group workloads/shared/borrow.c workloads/oom/decision.c)
bench_program(bench-bma-group bma_group "${bench_group}" "" bma)
string(APPEND bench_manifest "peer\tbma-group\t$<TARGET_FILE:bench-bma-group>\n")

# bench_group_callgrind(NAME OPTIONS ...)
function(bench_group_callgrind name)
  bench_program(callgrind-${name} bma_group "callgrind_pair.c;callgrind_rseq.c" "${ARGN}" bma)
  set(bench_manifest "${bench_manifest}callgrind\t${name}\t$<TARGET_FILE:callgrind-${name}>\n"
    PARENT_SCOPE)
endfunction()

bench_group_callgrind(bma-group-private)
bench_group_callgrind(bma-group-merged -DPEER_CACHE_FLAGS=BMA_CACHE_MERGE -DBENCH_BMA_EXPORTED
  -DBMA_NO_INLINE)
