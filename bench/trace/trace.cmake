# SPDX-License-Identifier: MIT
# What replays traces: sources for bench_workloads, and the traces, unpacked beside the programs.
if(NOT TARGET bench_trace_reader)
  add_subdirectory(trace)
endif()
find_program(BENCH_XZ xz)
if(NOT BENCH_XZ)
  message(FATAL_ERROR "The benchmark needs xz (Debian: xz-utils)")
endif()

list(APPEND bench_workloads trace/bench_trace.c)
target_link_libraries(bench_host PUBLIC bench_trace_reader)

file(GLOB bench_traces CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/trace/data/*.trace.xz)
foreach(packed ${bench_traces})
  cmake_path(GET packed FILENAME name)
  string(REGEX REPLACE "\\.xz$" "" name ${name})
  set(plain ${CMAKE_CURRENT_BINARY_DIR}/traces/${name})
  add_custom_command(OUTPUT ${plain}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/traces
    COMMAND ${CMAKE_COMMAND} -E copy ${packed} ${plain}.xz
    COMMAND ${BENCH_XZ} -d -f ${plain}.xz
    DEPENDS ${packed} VERBATIM)
  list(APPEND bench_plain_traces ${plain})
endforeach()
add_custom_target(bench_traces ALL DEPENDS ${bench_plain_traces})
