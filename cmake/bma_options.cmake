# SPDX-License-Identifier: MIT
# What every target of this tree is compiled with; nothing of it reaches those who link the library.
add_library(bma_options INTERFACE)
target_compile_options(bma_options INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion>
  $<$<AND:$<BOOL:${BMA_WERROR}>,$<COMPILE_LANGUAGE:C>>:-Werror>)
target_compile_definitions(bma_options INTERFACE _GNU_SOURCE)
if(BMA_SANITIZE)
  target_compile_options(bma_options INTERFACE -fsanitize=${BMA_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(bma_options INTERFACE -fsanitize=${BMA_SANITIZE})
endif()
if(BMA_COVERAGE)
  # gcc's own fork() forgets in the child what its fork handlers did.
  target_compile_options(bma_options INTERFACE --coverage -fprofile-update=atomic -fno-builtin-fork
    $<$<COMPILE_LANGUAGE:C>:-include;${CMAKE_CURRENT_LIST_DIR}/coverage.h>)
  target_link_options(bma_options INTERFACE --coverage)
endif()
