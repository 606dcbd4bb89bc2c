# SPDX-License-Identifier: LGPL-2.1-or-later
signet_fuzz_target(fuzz-trust-chain SOURCES fuzz-keys.c LIBS signet_trust signet_cms)
signet_fuzz_target(fuzz-trust-revocation LIBS signet_trust)
