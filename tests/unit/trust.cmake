# SPDX-License-Identifier: LGPL-2.1-or-later
foreach(name IN ITEMS test-trust-add test-trust-chain test-trust-roots)
  signet_unit_test(${name} LIBS signet_trust signet_cms)
  target_sources(${name} PRIVATE test-cms-soft.c)
endforeach()
signet_unit_test(test-trust-judge LIBS signet_trust)
