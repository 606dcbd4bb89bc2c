# SPDX-License-Identifier: LGPL-2.1-or-later
signet_fuzz_target(fuzz-base-cert LIBS signet_base)
signet_fuzz_target(fuzz-wire-line LIBS signet_wire)
signet_fuzz_target(fuzz-wire-record LIBS signet_wire)
