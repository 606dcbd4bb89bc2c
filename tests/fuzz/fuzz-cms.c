/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/keys.h"

/* Whatever the bytes are: no crash, no sanitizer report, an error or an answer. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

static GBytes *
any_key(gpointer data, const char *key, const SignetOperation *operation, GError **error)
{
  static const guint8 zeros[64] = { 0 };
  gsize wanted = operation->wanted ? operation->wanted : 32;
  (void)data;
  (void)key;
  if (wanted > sizeof zeros || (operation->data_length && !operation->data)) {
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT, "no");
    return NULL;
  }
  return g_bytes_new_static(zeros, wanted);
}

/* The first few recipients are ours, of each kind in turn. */
static GPtrArray *
any_match(gpointer data, const SignetRecipient *recipients, gsize n, GError **error)
{
  static const char *const kinds[] = { "ec:p256", "ec:p384", "rsa:2048", "ec:p521", "ed25519" };
  GPtrArray *matches = g_ptr_array_new_with_free_func((GDestroyNotify)signet_match_free);
  (void)data;
  (void)recipients;
  (void)error;
  for (guint i = 0; i < n && i < 8; i++)
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
      SignetMatch *match = g_new0(SignetMatch, 1);
      match->index = i;
      match->key = g_strdup("00");
      match->kind = g_strdup(kinds[k]);
      match->present = TRUE;
      g_ptr_array_add(matches, match);
    }
  return matches;
}

static void
take_apart(GBytes *message)
{
  static const CmsKeys keys = { NULL, any_key, any_key, any_key, any_match };
  g_autoptr(GBytes) content = g_bytes_new_static("Hello", 5);
  g_autoptr(CmsInfo) info = cms_info(message, NULL);
  g_autoptr(CmsVerified) inside = cms_verify(message, NULL, NULL, NULL);
  g_autoptr(CmsVerified) detached = cms_verify(message, content, NULL, NULL);
  g_autoptr(CmsOpened) opened = cms_decrypt_with(&keys, message, NULL);
  (void)info;
  (void)inside;
  (void)detached;
  (void)opened;
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  g_autoptr(GBytes) raw = g_bytes_new(bytes, length);
  g_autoptr(GBytes) der = cms_read(raw, "input", NULL);
  take_apart(raw);
  if (der && der != raw)
    take_apart(der);
  return 0;
}
