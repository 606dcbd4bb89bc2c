# SPDX-License-Identifier: LGPL-2.1-or-later
signet_fuzz_target(fuzz-keyfile LIBS signet_keyfile)
