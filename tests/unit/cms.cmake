# SPDX-License-Identifier: LGPL-2.1-or-later
foreach(file ber decrypt read seal sign signflow unseal verify verifyflow verifyflow-hostile)
  signet_unit_test(test-cms-${file} LIBS signet_cms)
  target_sources(test-cms-${file} PRIVATE test-cms-soft.c)
endforeach()
