# Which folder may include which. Arrows run downward only; the build fails on any other edge (cmake/CheckLayers.cmake).
# A folder may always include itself. A folder that has rows for folders inside it ("backup") stands only for the files
# directly in it. "*" is everything but daemon/ and cli/; "**" is everything.
set(QCBAK_LAYERS
  "base               ->"
  "crypto             -> base"
  "config             -> base"
  "backup/storage     -> base"
  "backup/repository  -> base crypto backup/storage"
  "backup/source      -> base backup/repository"
  "backup/replica     -> base crypto backup/storage backup/repository"
  "backup/drill       -> base crypto backup backup/storage backup/repository backup/source"
  "backup             -> base crypto backup/storage backup/repository backup/source"
  "wipe               -> base crypto"
  "evidence           -> base crypto config backup/repository wipe control"
  "control            -> base"
  "daemon             -> *"
  "cli                -> *"
  "tests              -> **"
  "bench              -> **"
  "fuzz               -> **")

# Headers from outside that only some folders may include: every use of a cryptographic primitive is in crypto/.
set(QCBAK_GUARDED_HEADERS "sodium.h" "sodium/" "openssl/")
set(QCBAK_GUARDED_HEADERS_FOLDERS "crypto" "tests/crypto")

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(globs "")
  foreach(row IN LISTS QCBAK_LAYERS)
    string(REGEX MATCH "^[^ /]+" folder "${row}")
    list(APPEND globs "${CMAKE_SOURCE_DIR}/${folder}/*.h" "${CMAKE_SOURCE_DIR}/${folder}/*.cc")
  endforeach()
  list(REMOVE_DUPLICATES globs)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${globs})
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/layers.checked
    COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} -P ${CMAKE_SOURCE_DIR}/cmake/CheckLayers.cmake
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/layers.checked
    DEPENDS ${sources} ${CMAKE_SOURCE_DIR}/cmake/CheckLayers.cmake ${CMAKE_SOURCE_DIR}/cmake/Layers.cmake
    COMMENT "Checking which folder includes which"
    VERBATIM)
  add_custom_target(layers ALL DEPENDS ${CMAKE_BINARY_DIR}/layers.checked)
endif()
