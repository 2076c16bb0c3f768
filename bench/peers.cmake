# SPDX-License-Identifier: MIT
# All peers but ourselves: one bench_peer() each, or a bench_skip() that says how to get it.

# Limits of the machine.
add_library(bench_null SHARED peers/null_calls.c)
target_compile_options(bench_null PRIVATE -O2)
target_link_libraries(bench_null PRIVATE bma_options)
bench_peer(null-call null LIBRARIES bench_null)
bench_peer(floor-tls-magazine floor_tls_magazine SOURCES peers/floor.c peers/floor_tls.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
  bench_peer(floor-rseq-list floor_rseq_list SOURCES peers/floor.c)
  bench_peer(floor-rseq-magazine floor_rseq_magazine SOURCES peers/floor.c)
  bench_peer(kmem_cache kmem_cache SOURCES ${bench_kmem_cache})
else()
  bench_skip(floor-rseq-list "written for x86-64 only")
  bench_skip(floor-rseq-magazine "written for x86-64 only")
  bench_skip(kmem_cache "written for x86-64 only")
endif()

# The mallocs of the system. --no-as-needed: their malloc() is to take the place of glibc's.
bench_peer(glibc glibc CALLGRIND)
foreach(peer "jemalloc jemalloc/jemalloc.h jemalloc libjemalloc-dev"
    "gperftools gperftools/tcmalloc.h tcmalloc_minimal libgoogle-perftools-dev"
    "mimalloc mimalloc.h mimalloc libmimalloc-dev")
  separate_arguments(peer UNIX_COMMAND "${peer}")
  list(POP_FRONT peer name header library package)
  find_path(BENCH_${name}_INCLUDE ${header})
  find_library(BENCH_${name}_LIBRARY ${library})
  if(BENCH_${name}_INCLUDE AND BENCH_${name}_LIBRARY)
    set(bench_${name} -Wl,--push-state,--no-as-needed ${BENCH_${name}_LIBRARY} -Wl,--pop-state)
    bench_peer(${name} ${name} CALLGRIND LIBRARIES ${bench_${name}})
  else()
    bench_skip(${name} "install ${package}")
  endif()
endforeach()
# Their calls beside malloc().
foreach(peer "mallocx jemalloc" "mi_heap mimalloc")
  separate_arguments(peer UNIX_COMMAND "${peer}")
  list(POP_FRONT peer header malloc)
  string(REPLACE "_" "-" name ${header})
  if(TARGET bench-${malloc})
    bench_peer(${name} ${header} LIBRARIES ${bench_${malloc}})
  else()
    bench_skip(${name} "as without ${malloc}")
  endif()
endforeach()

# Object pools that other libraries have, or that are made of their stacks.
pkg_check_modules(BENCH_GLIB QUIET IMPORTED_TARGET glib-2.0)
if(BENCH_GLIB_FOUND)
  bench_peer(gslice gslice LIBRARIES PkgConfig::BENCH_GLIB)
else()
  bench_skip(gslice "install libglib2.0-dev")
endif()
pkg_check_modules(BENCH_CK QUIET IMPORTED_TARGET ck)
if(BENCH_CK_FOUND)
  bench_peer(ck-stack ck_stack SOURCES peers/floor.c OPTIONS
    -DBENCH_CK_VERSION="${BENCH_CK_VERSION}" LIBRARIES PkgConfig::BENCH_CK)
else()
  bench_skip(ck-stack "install libck-dev")
endif()
pkg_check_modules(BENCH_LFSTACK REQUIRED IMPORTED_TARGET liburcu-cds)
bench_peer(lfstack lfstack SOURCES peers/floor.c OPTIONS
  -DBENCH_URCU_VERSION="${BENCH_LFSTACK_VERSION}" LIBRARIES PkgConfig::BENCH_LFSTACK)

# DPDK, statically: the shared EAL would load every driver that is installed.
pkg_check_modules(BENCH_DPDK QUIET libdpdk)
foreach(part eal mempool ring mempool_ring kvargs telemetry)
  find_library(BENCH_DPDK_${part} librte_${part}.a)
  list(APPEND bench_dpdk ${BENCH_DPDK_${part}})
endforeach()
# Part of eal before 23.11.
find_library(BENCH_DPDK_log librte_log.a)
foreach(library bsd numa)
  find_library(BENCH_DPDK_${library} ${library})
  list(APPEND bench_dpdk_needs ${BENCH_DPDK_${library}})
endforeach()
if(BENCH_DPDK_FOUND AND NOT "${bench_dpdk};${bench_dpdk_needs}" MATCHES "NOTFOUND")
  if(BENCH_DPDK_log)
    list(APPEND bench_dpdk ${BENCH_DPDK_log})
  endif()
  # DPDK's headers are not ours to correct.
  set(bench_dpdk_cflags ${BENCH_DPDK_CFLAGS})
  list(TRANSFORM bench_dpdk_cflags REPLACE "^-I(.*)$" "-isystem\\1")
  list(REMOVE_DUPLICATES bench_dpdk_cflags)
  bench_peer(rte_mempool rte_mempool OPTIONS ${bench_dpdk_cflags}
    LIBRARIES -Wl,--whole-archive ${bench_dpdk} -Wl,--no-whole-archive ${bench_dpdk_needs} m
      ${CMAKE_DL_LIBS})
else()
  bench_skip(rte_mempool "install libdpdk-dev")
endif()
