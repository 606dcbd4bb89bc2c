/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In peer-signet.c's place where the benchmark is built without libsignet. */

#include "peer.h"

static gboolean
load(const PeerTarget *target G_GNUC_UNUSED, GError **error)
{
  return peer_fail(error, "built without libsignet");
}

const Peer peer_signet = { .name = "signet", .load = load };
