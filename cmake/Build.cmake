# How everything is compiled, beside the warnings: compiler cache, sanitizers, hardening.
option(QCBAK_HARDEN "Compile and link with the hardening that is shipped" OFF)
set(QCBAK_SANITIZE "" CACHE STRING "Sanitizers for all code, as -fsanitize= takes them: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
  find_program(QCBAK_CCACHE ccache)
  mark_as_advanced(QCBAK_CCACHE)
  if(QCBAK_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${QCBAK_CCACHE})
  endif()
endif()

if(QCBAK_SANITIZE)
  add_compile_options(-fsanitize=${QCBAK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${QCBAK_SANITIZE})
endif()

# -pie comes from CMAKE_POSITION_INDEPENDENT_CODE rather than from the flags, so that one executable can be linked
# statically by switching its property off.
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
if(QCBAK_HARDEN)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
