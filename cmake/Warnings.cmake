# The warnings all our code compiles without. The presets make them errors (CMAKE_COMPILE_WARNING_AS_ERROR); headers of
# libraries are system headers, which do not count.
add_compile_options(
  -Wall -Wextra -Wpedantic
  -Wshadow
  -Wconversion -Wno-sign-conversion  # sizes and offsets cross between signed system calls and unsigned spans everywhere
  -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast
  -Wcast-qual
  -Wimplicit-fallthrough
  -Wundef
  -Wvla)
