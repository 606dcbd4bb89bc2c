/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enroll/transfer.h"

#include "base/error.h"
#include "base/http.h"
#include "base/tls.h"

#define CONTENT_TYPE "application/pkixcmp"
#define ANSWER_MAX (256 * 1024)

gboolean
enroll_transfer_open(EnrollTransfer *transfer, const EnrollServer *server, GError **error)
{
  g_auto(BaseUrl) url = { 0 }, proxy = { 0 };
  g_autoptr(BaseTls) tls = NULL;
  transfer->server = server;
  transfer->deadline = base_deadline_in(server->timeout_s * 1000);
  if (!enroll_url_parse(server->url, &url, error))
    return FALSE;
  if (server->proxy && !base_url_parse_proxy(server->proxy, &proxy))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--proxy takes [http://]HOST:PORT");
  /* A file of roots that cannot be read is said before anything is sent. */
  if (url.tls)
    tls = base_tls_new(url.host, server->tls_roots, error);
  return !url.tls || tls;
}

void
enroll_transfer_clear(EnrollTransfer *transfer)
{
  g_clear_error(&transfer->failed);
}

/* The reason is half a sentence of base/http.h. */
static GError *
explain(const EnrollServer *server, const GError *reason)
{
  const char *why = reason->message;
  GError *error = NULL;
  switch (reason->code) {
  case SIGNET_ERROR_TIMEOUT:
    base_error_set(&error, SIGNET_ERROR_TIMEOUT,
                   "the CA at %s did not answer in time (--timeout %u)", server->url,
                   server->timeout_s);
    break;
  case SIGNET_ERROR_NOT_FOUND:
  case SIGNET_ERROR_BAD_INPUT:
  case SIGNET_ERROR_TOO_LARGE:
    base_error_set(&error, SIGNET_ERROR_BAD_INPUT, "what %s answers is no CMP message: %s",
                   server->url, why);
    break;
  case SIGNET_ERROR_FAILED:
    base_error_set(&error, SIGNET_ERROR_FAILED, "no secure connection to %s: %s", server->url, why);
    break;
  default:
    base_error_set(&error, SIGNET_ERROR_IO, "cannot reach the CA at %s%s%s: %s", server->url,
                   server->proxy ? " through the proxy " : "", server->proxy ? server->proxy : "",
                   why);
  }
  return error;
}

static GBytes *
encode(const OSSL_CMP_MSG *message)
{
  guint8 *der = NULL;
  int length = ASN1_item_i2d((const ASN1_VALUE *)message, &der, ASN1_ITEM_rptr(OSSL_CMP_MSG));
  GBytes *bytes = length > 0 ? g_bytes_new(der, (gsize)length) : NULL;
  OPENSSL_free(der);
  return bytes;
}

OSSL_CMP_MSG *
enroll_transfer(OSSL_CMP_CTX *context, const OSSL_CMP_MSG *request)
{
  EnrollTransfer *transfer = OSSL_CMP_CTX_get_transfer_cb_arg(context);
  g_autoptr(GBytes) body = encode(request);
  g_autoptr(GError) reason = NULL;
  const EnrollServer *server = transfer->server;
  BaseHttp http = { .url = server->url,
                    .proxy = server->proxy,
                    .tls_roots = server->tls_roots,
                    .type = CONTENT_TYPE,
                    .body = body,
                    .expect = CONTENT_TYPE,
                    .max = ANSWER_MAX,
                    .deadline = transfer->deadline };
  g_clear_error(&transfer->failed);
  g_autoptr(GBytes) answer = body ? base_http_bytes(&http, &reason) : NULL;
  if (!answer) {
    if (reason)
      transfer->failed = explain(server, reason);
    return NULL;
  }
  gsize length;
  const guint8 *der = g_bytes_get_data(answer, &length);
  return (OSSL_CMP_MSG *)ASN1_item_d2i(NULL, &der, (long)length, ASN1_ITEM_rptr(OSSL_CMP_MSG));
}
