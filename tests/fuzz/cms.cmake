# SPDX-License-Identifier: LGPL-2.1-or-later
signet_fuzz_target(fuzz-cms LIBS signet_cms)
signet_fuzz_target(fuzz-cms-ber LIBS signet_cms)
