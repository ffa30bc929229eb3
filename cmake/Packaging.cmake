# The Debian package: cmake --build --preset release && (cd build/release && cpack -G DEB)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME qcbak)
set(CPACK_PACKAGE_VENDOR "qcbak maintainers")
set(CPACK_PACKAGE_CONTACT "qcbak maintainers <maintainers@qcbak.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Encrypted, deduplicated backup that proves it restores")
set(CPACK_PACKAGE_DESCRIPTION
"qcbak keeps encrypted, deduplicated snapshots of files in a repository that
whoever stores it can neither read nor alter unnoticed. Damage is found and
named; a restore can be read back and compared, byte for byte, with all its
metadata. qcbak-recover restores alone on a bare rescue system.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/debian/postinst ${CMAKE_SOURCE_DIR}/debian/prerm ${CMAKE_SOURCE_DIR}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
