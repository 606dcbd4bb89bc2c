/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The servers that the measured clients talk to, each started in a sandbox and ended with it. */

#include "sandbox.h"

/* p11-kit's server over SoftHSM; ret_setting is the clients' environment setting. */
gboolean bench_server_p11_kit(BenchSandbox *sandbox, const char *token, char **ret_setting,
                              GError **error);
/* gpg-agent in a new home, with gnupg-pkcs11-scd as its smartcard daemon; adopted by the sandbox. */
gboolean bench_server_gpg_agent(BenchSandbox *sandbox, char **ret_setting, GError **error);
/* Has the sandbox adopt the gpg-agent of a home, and its card daemon if it has one. */
gboolean bench_server_adopt_gpg_agent(BenchSandbox *sandbox, const char *home, GError **error);
/* gpgsm's home with a key of bench-keys in software, its certificate trusted, and the agent for it. */
gboolean bench_server_gpgsm(BenchSandbox *sandbox, const char *key, GError **error);
/* signetd, and then its token unlocked. */
gboolean bench_server_signet(BenchSandbox *sandbox, GPid *ret_broker, GError **error);
gboolean bench_server_signet_unlock(BenchSandbox *sandbox, const char *token, GError **error);
