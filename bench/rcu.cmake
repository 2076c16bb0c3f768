# SPDX-License-Identifier: MIT
# One program per way to free what readers may look at: an allocator and a method.
pkg_check_modules(BENCH_URCU REQUIRED IMPORTED_TARGET liburcu-memb liburcu-cds)

set(bench_rcu_workloads main_rcu.c workloads/rcu/call.c workloads/rcu/churn.c htab/locked.c
  htab/lfht.c)

# bench_deferral(NAME HEADER DEFERRAL [OPTIONS ...] [LIBRARIES ...])
function(bench_deferral name header deferral)
  cmake_parse_arguments(PEER "" "" "OPTIONS;LIBRARIES" ${ARGN})
  bench_program(bench-${name} ${header} "${bench_rcu_workloads}"
    "-DBENCH_DEFERRAL=\"deferrals/${deferral}.h\";${PEER_OPTIONS}"
    "${PEER_LIBRARIES};PkgConfig::BENCH_URCU")
  set(bench_manifest "${bench_manifest}peer\t${name}\t$<TARGET_FILE:bench-${name}>\n" PARENT_SCOPE)
endfunction()

bench_deferral(bma-rcu bma bma_rcu LIBRARIES bma)
bench_deferral(bma-rcu-exported bma bma_rcu OPTIONS -DBENCH_BMA_EXPORTED -DBMA_NO_INLINE
  LIBRARIES bma)
bench_deferral(bma-rcu-capped bma bma_capped LIBRARIES bma)
bench_deferral(bma-free bma bma_free LIBRARIES bma)
bench_deferral(ring ring ring)
bench_deferral(preallocated preallocated at_once)
bench_deferral(glibc-free glibc at_once)
foreach(name glibc jemalloc gperftools mimalloc)
  if(TARGET bench-${name})
    bench_deferral(${name}-call_rcu ${name} call_rcu LIBRARIES ${bench_${name}})
    bench_deferral(${name}-defer_rcu ${name} defer_rcu LIBRARIES ${bench_${name}})
  else()
    foreach(deferral call_rcu defer_rcu)
      bench_skip(${name}-${deferral} "as without ${name}")
    endforeach()
  endif()
endforeach()
