# SPDX-License-Identifier: LGPL-2.1-or-later
foreach(name IN ITEMS test-trust-add test-trust-chain test-trust-constraints test-trust-roots test-trust-verdict)
  signet_unit_test(${name} LIBS signet_trust signet_cms)
  target_sources(${name} PRIVATE test-cms-soft.c)
endforeach()
signet_unit_test(test-trust-crl LIBS signet_trust)
target_sources(test-trust-crl PRIVATE trust-craft.c)
signet_unit_test(test-trust-revocation LIBS signet_trust)
target_sources(test-trust-revocation PRIVATE trust-craft.c http-server.c)
