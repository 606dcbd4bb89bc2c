/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The seam between OpenSSL's idea of a key and the one who has it: libsignet in
 * programs, software keys in tests. */

#include "provider/provider.h"

typedef struct {
  GBytes *(*sign)(gpointer data, const char *key, const SignetOperation *operation, GError **error);
  GBytes *(*decrypt)(gpointer data, const char *key, const SignetOperation *operation,
                     GError **error);
  GBytes *(*derive)(gpointer data, const char *key, const SignetOperation *operation,
                    GError **error);
} ProviderOperations;

/* As provider_context_new(), with others who do the operations; both are borrowed. */
OSSL_LIB_CTX *provider_context_new_with(const ProviderOperations *operations, gpointer data,
                                        GError **error);

/* libsignet; `data` is a SignetClient. */
extern const ProviderOperations provider_client_operations;
