# SPDX-License-Identifier: LGPL-2.1-or-later
foreach(file algorithms ber data decrypt read receipt recipients seal sign signflow unseal verify verifyflow verifyflow-hostile)
  signet_unit_test(test-cms-${file} LIBS signet_cms)
  target_sources(test-cms-${file} PRIVATE test-cms-soft.c)
endforeach()
# Every split and truncation, by several programs: five seconds each.
set_property(TEST test-cms-signflow test-cms-unseal test-cms-verifyflow test-cms-verifyflow-hostile
  APPEND PROPERTY LABELS slow)
