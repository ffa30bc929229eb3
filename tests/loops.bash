# Loop devices over files in $scratch, for tests that run side by side. A device that is detached may be another test's the
# moment after, so none is ever detached but by what it is over.
#   loop_over FILE    attaches one, and sets $loop
#   detach LOOP       detaches it, once it is no longer in use
#   detach_loops      those that are left; for the end, also after a failure
loop_over() { loop=$(losetup --find --show "$1") || fail "no loop device over $1"; }

backing_file() { losetup --noheadings --output BACK-FILE "$1" 2>/dev/null; }
is_of_this_test() { [[ $(backing_file "$1") == "$scratch"/* ]]; }

detach() {
  is_of_this_test "$1" || fail "$1 is not a device of this test"
  losetup --detach "$1" || fail "$1 cannot be detached"
}

detach_loops() {
  local left
  for left in $(losetup --list --noheadings --output NAME); do
    is_of_this_test "$left" || continue
    swapoff "$left" 2>/dev/null
    umount "$left" 2>/dev/null
    losetup --detach "$left"
  done
}
