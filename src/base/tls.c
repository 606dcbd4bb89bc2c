/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/tls.h"

#include "base/error.h"

#include <dlfcn.h>
#include <openssl/ssl.h>

#define LIBSSL "libssl.so.3"

/* What is used of libssl, by its own types. */
typedef struct {
  __typeof__(TLS_client_method) *client_method;
  __typeof__(SSL_CTX_new) *context_new;
  __typeof__(SSL_CTX_free) *context_free;
  __typeof__(SSL_CTX_ctrl) *context_control;
  __typeof__(SSL_CTX_set_verify) *set_verify;
  __typeof__(SSL_CTX_load_verify_file) *load_roots;
  __typeof__(SSL_CTX_set_default_verify_paths) *default_roots;
  __typeof__(BIO_new_ssl) *bio_new;
  __typeof__(SSL_ctrl) *control;
  __typeof__(SSL_set1_host) *set_host;
  __typeof__(SSL_get0_param) *parameters;
} LibSsl;

struct BaseTls {
  LibSsl lib;
  SSL_CTX *context;
  char *host;
};

static gboolean
load_library(LibSsl *lib, GError **error)
{
  const struct {
    const char *name;
    void **to;
  } symbols[] = {
    { "TLS_client_method", (void **)&lib->client_method },
    { "SSL_CTX_new", (void **)&lib->context_new },
    { "SSL_CTX_free", (void **)&lib->context_free },
    { "SSL_CTX_ctrl", (void **)&lib->context_control },
    { "SSL_CTX_set_verify", (void **)&lib->set_verify },
    { "SSL_CTX_load_verify_file", (void **)&lib->load_roots },
    { "SSL_CTX_set_default_verify_paths", (void **)&lib->default_roots },
    { "BIO_new_ssl", (void **)&lib->bio_new },
    { "SSL_ctrl", (void **)&lib->control },
    { "SSL_set1_host", (void **)&lib->set_host },
    { "SSL_get0_param", (void **)&lib->parameters },
  };
  /* Never closed: OpenSSL's exit handlers are in it. */
  void *handle = dlopen(LIBSSL, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "https needs " LIBSSL ": %s", dlerror());
  for (gsize i = 0; i < G_N_ELEMENTS(symbols); i++) {
    *symbols[i].to = dlsym(handle, symbols[i].name);
    if (!*symbols[i].to)
      return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, LIBSSL " has no %s", symbols[i].name);
  }
  return TRUE;
}

static gboolean
make_context(BaseTls *tls, const char *roots, GError **error)
{
  tls->context = tls->lib.context_new(tls->lib.client_method());
  if (!tls->context || tls->lib.context_control(tls->context, SSL_CTRL_SET_MIN_PROTO_VERSION,
                                                TLS1_2_VERSION, NULL) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot prepare TLS");
  tls->lib.set_verify(tls->context, SSL_VERIFY_PEER, NULL);
  if (roots && tls->lib.load_roots(tls->context, roots) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "cannot read certificates from %s",
                                  roots);
  if (!roots && tls->lib.default_roots(tls->context) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED,
                                  "cannot read the system's TLS certificates");
  return TRUE;
}

BaseTls *
base_tls_new(const char *host, const char *roots, GError **error)
{
  g_autoptr(BaseTls) tls = g_new0(BaseTls, 1);
  tls->host = g_strdup(host);
  if (!load_library(&tls->lib, error) || !make_context(tls, roots, error))
    return NULL;
  return g_steal_pointer(&tls);
}

void
base_tls_free(BaseTls *tls)
{
  if (!tls)
    return;
  if (tls->context)
    tls->lib.context_free(tls->context);
  g_free(tls->host);
  g_free(tls);
}

/* An address made of digits is compared with iPAddress, everything else with dNSName (RFC 6125). */
static gboolean
expect_host(const BaseTls *tls, SSL *ssl)
{
  if (g_hostname_is_ip_address(tls->host))
    return X509_VERIFY_PARAM_set1_ip_asc(tls->lib.parameters(ssl), tls->host) == 1;
  return tls->lib.set_host(ssl, tls->host) == 1 &&
         tls->lib.control(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                          tls->host) == 1;
}

BIO *
base_tls_wrap(BaseTls *tls, BIO *bio)
{
  SSL *ssl = NULL;
  BIO *secure = tls->lib.bio_new(tls->context, 1);
  if (secure)
    BIO_ctrl(secure, BIO_C_GET_SSL, 0, &ssl);
  if (ssl && expect_host(tls, ssl))
    return BIO_push(secure, bio);
  BIO_free(secure);
  return NULL;
}
