# SPDX-License-Identifier: LGPL-2.1-or-later
signet_unit_test(test-wire-frame LIBS signet_wire)
signet_unit_test(test-wire-host LIBS signet_wire)
signet_unit_test(test-wire-json LIBS signet_wire)
signet_unit_test(test-wire-line LIBS signet_wire)
signet_unit_test(test-wire-operation LIBS signet_wire)
signet_unit_test(test-wire-pack LIBS signet_wire)
