# SPDX-License-Identifier: MIT
# Sets bma_have_probes: are static probes to be built, and can they be?
include(CheckIncludeFile)
check_include_file(sys/sdt.h BMA_HAVE_SDT)
if(BMA_PROBES STREQUAL "AUTO")
  set(bma_have_probes ${BMA_HAVE_SDT})
else()
  set(bma_have_probes ${BMA_PROBES})
endif()
if(bma_have_probes AND NOT BMA_HAVE_SDT)
  message(FATAL_ERROR "BMA_PROBES=ON needs <sys/sdt.h> (Debian: systemtap-sdt-dev)")
endif()
