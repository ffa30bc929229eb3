# What `cmake --install` puts where: programs, manual pages, completions, documents.
include(GNUInstallDirs)

if(TARGET qcbak)
  install(TARGETS qcbak RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

  # Manual pages and completions are written by the program itself, from the table its parser uses.
  set(generated ${CMAKE_BINARY_DIR}/generated)
  set(recover "")
  set(recover_argument "")
  if(TARGET qcbak-recover)
    set(recover qcbak-recover)
    set(recover_argument -DRECOVER=$<TARGET_FILE:qcbak-recover>)
  endif()
  add_custom_command(
    OUTPUT ${generated}/complete
    COMMAND ${CMAKE_COMMAND} -DQCBAK=$<TARGET_FILE:qcbak> -DQCBAKD=$<TARGET_FILE:qcbakd> ${recover_argument} -DOUTPUT=${generated}
            -P ${CMAKE_SOURCE_DIR}/cmake/GenerateManual.cmake
    DEPENDS qcbak qcbakd ${recover} ${CMAKE_SOURCE_DIR}/cmake/GenerateManual.cmake
    COMMENT "Writing manual pages and completions"
    VERBATIM)
  add_custom_target(manual ALL DEPENDS ${generated}/complete)
  install(DIRECTORY ${generated}/man1 ${generated}/man5 ${generated}/man8 DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(FILES ${generated}/completion/qcbak DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${generated}/completion/_qcbak DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${generated}/completion/qcbak.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
install(TARGETS qcbakd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
if(TARGET qcbak-recover)
  install(TARGETS qcbak-recover RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# Units lie where systemd looks, whatever the prefix of the package's own files.
install(FILES systemd/qcbakd.service systemd/qcbak-gateway.service systemd/qcbak-worker.socket systemd/qcbak-worker@.service systemd/qcbak-messenger.socket
              systemd/qcbak-messenger@.service DESTINATION lib/systemd/system)
install(FILES systemd/qcbak.sysusers DESTINATION lib/sysusers.d RENAME qcbak.conf)
install(FILES systemd/qcbak.tmpfiles DESTINATION lib/tmpfiles.d RENAME qcbak.conf)
install(FILES systemd/qcbak.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
