# cmake -DQCBAK=<program> -DQCBAKD=<program> [-DRECOVER=<program>] -DOUTPUT=<folder> -P GenerateManual.cmake
#   OUTPUT/man1/qcbak.1.gz, qcbak-VERB.1.gz    from `qcbak internal man [VERB]`, for each line of `qcbak internal verbs`
#   OUTPUT/man1/qcbak-recover.1.gz             from `qcbak-recover internal man`
#   OUTPUT/man8/qcbakd.8.gz, OUTPUT/man5/qcbak.toml.5.gz    from qcbakd
#   OUTPUT/completion/{qcbak,_qcbak,qcbak.fish}    from `qcbak internal completion SHELL`
#   OUTPUT/complete    made last
cmake_minimum_required(VERSION 3.25)

set(ENV{LC_ALL} C)  # in English, whoever builds it
function(generate_by program file)
  execute_process(COMMAND ${program} ${ARGN} OUTPUT_FILE ${file} RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${program} ${ARGN} ended with ${code}")
  endif()
endfunction()
function(generate file)
  generate_by(${QCBAK} ${file} ${ARGN})
endfunction()

file(REMOVE_RECURSE ${OUTPUT})
file(MAKE_DIRECTORY ${OUTPUT}/man1 ${OUTPUT}/man5 ${OUTPUT}/man8 ${OUTPUT}/completion)
generate(${OUTPUT}/verbs internal verbs)
generate(${OUTPUT}/man1/qcbak.1 internal man)
file(STRINGS ${OUTPUT}/verbs verbs)
foreach(verb IN LISTS verbs)
  generate(${OUTPUT}/man1/qcbak-${verb}.1 internal man ${verb})
endforeach()
if(RECOVER)
  generate_by(${RECOVER} ${OUTPUT}/man1/qcbak-recover.1 internal man)
endif()
generate_by(${QCBAKD} ${OUTPUT}/man8/qcbakd.8 --manual)
generate_by(${QCBAKD} ${OUTPUT}/man5/qcbak.toml.5 --config-manual)
file(GLOB pages ${OUTPUT}/man?/*.?)
find_program(GZIP gzip REQUIRED)
execute_process(COMMAND ${GZIP} -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)

generate(${OUTPUT}/completion/qcbak internal completion bash)
generate(${OUTPUT}/completion/_qcbak internal completion zsh)
generate(${OUTPUT}/completion/qcbak.fish internal completion fish)
file(TOUCH ${OUTPUT}/complete)
