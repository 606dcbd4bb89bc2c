# SPDX-License-Identifier: LGPL-2.1-or-later
signet_fuzz_target(fuzz-cms LIBS signet_cms)
signet_fuzz_target(fuzz-cms-ber SOURCES fuzz-keys.c LIBS signet_cms)
signet_fuzz_target(fuzz-cms-flow SOURCES fuzz-keys.c LIBS signet_cms)
