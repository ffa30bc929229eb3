# One static library a folder: qcbak_module(NAME SOURCES … USES …). Headers are included by their path from the root,
# "crypto/aead.h", so that every edge between modules is visible where it is used.
function(qcbak_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;PRIVATE_USES")
  add_library(qcbak_${name} STATIC ${arg_SOURCES})
  target_include_directories(qcbak_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(qcbak_${name} PUBLIC ${arg_USES} PRIVATE ${arg_PRIVATE_USES})
endfunction()
