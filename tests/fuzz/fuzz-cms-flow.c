/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/armor.h"
#include "cms/receipt.h"
#include "fuzz-keys.h"

#include <string.h>

/* The stages of cms/flow.h. The first byte says in which pieces the rest arrives, the second which
 * stage: whole and in pieces must come to the same. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

#define OUT_MAX (1 << 20)

/* RFC 4134's ExContent, so that its detached signatures are good. */
static const char content[] = "This is some sample content.";

static void
note_verified(GString *seen, const CmsVerified *verified)
{
  g_string_append_printf(seen, "%u certificates", verified->certificates->len);
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *one = g_ptr_array_index(verified->signatures, i);
    g_assert_true(one->algorithm && (one->state == CMS_SIGNATURE_GOOD || one->reason));
    g_assert_true(!one->reason || g_utf8_validate(one->reason, -1, NULL));
    g_string_append_printf(seen, "; %d %d %s %s %s", one->state, one->weak, one->algorithm,
                           one->digest ? one->digest : "-",
                           one->certificate ? one->certificate->fingerprint : "-");
  }
}

static void
note_result(GString *seen, BaseSink *sink)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsVerified) verified = cms_verify_result(sink, &error);
  g_assert_true((verified == NULL) == (error != NULL));
  if (verified)
    note_verified(seen, verified);
}

static void
note_bytes(GString *seen, BaseSink *memory)
{
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  g_string_append_len(seen, data, (gssize)length);
}

static void
try_verify(const guint8 *bytes, gsize length, guint32 state, GString *seen)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_autoptr(BaseSink) sink = cms_verify_new(NULL, memory);
  if (!fuzz_push(sink, bytes, length, state, NULL))
    return;
  note_result(seen, sink);
  note_bytes(seen, memory);
}

static void
try_detached(const guint8 *bytes, gsize length, guint32 state, GString *seen)
{
  g_autoptr(GBytes) signature = g_bytes_new(bytes, length);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) sink = cms_verify_detached_new(signature, NULL, &error);
  g_assert_true((sink == NULL) == (error != NULL));
  if (sink && fuzz_push(sink, (const guint8 *)content, sizeof content - 1, state, NULL))
    note_result(seen, sink);
}

static void
note_info(GString *seen, BaseSink *sink)
{
  g_autoptr(CmsInfo) info = cms_info_result(sink, NULL);
  if (info)
    g_string_append_printf(seen, "%d %s %u %u %u %d %zu", info->type, info->type_name,
                           info->recipients->len, info->signers->len, info->certificates->len,
                           info->detached, info->content_length);
}

static void
try_info(const guint8 *bytes, gsize length, guint32 state, GString *seen)
{
  g_autoptr(BaseSink) sink = cms_info_new();
  if (fuzz_push(sink, bytes, length, state, NULL))
    note_info(seen, sink);
}

static void
try_armor(const guint8 *bytes, gsize length, guint32 state, GString *seen)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_autoptr(BaseSink) sink = cms_armor_new("input", (goffset)length, memory);
  if (fuzz_push(sink, bytes, length, state, NULL))
    note_bytes(seen, memory);
}

static void
try_unseal(const guint8 *bytes, gsize length, guint32 state, GString *seen)
{
  guint8 way = (guint8)length;
  CmsKeys keys = fuzz_keys(&way);
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_autoptr(BaseSink) sink = cms_unseal_with(&keys, memory);
  if (!fuzz_push(sink, bytes, length, state, NULL))
    return;
  g_assert_nonnull(cms_unseal_result(sink)->cipher);
  note_bytes(seen, memory);
}

static void
check_receipt(const CmsVerified *verified, GBytes *inside, const CmsReceiptAsked *asked,
              GString *seen)
{
  g_autoptr(GError) error = NULL;
  const char *problem = NULL;
  gboolean is = cms_receipt_check(verified, inside, asked, &problem, &error);
  g_assert_true(is == (error == NULL));
  g_string_append_printf(seen, "%d %s", is, problem ? problem : "-");
}

/* Held against what it asks for itself, and against nothing in particular. */
static void
try_receipt(const guint8 *bytes, gsize length, guint32 state, GString *seen)
{
  static char *nobody[] = { NULL };
  g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
  const CmsReceiptAsked nothing = { empty, (char *)(gintptr) "1.2.3", empty, empty, FALSE, nobody,
                                    nobody };
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_autoptr(BaseSink) sink = cms_verify_new(NULL, memory);
  g_autoptr(CmsVerified) verified = NULL;
  if (!fuzz_push(sink, bytes, length, state, NULL) || !(verified = cms_verify_result(sink, NULL)))
    return;
  g_autoptr(GBytes) inside = base_sink_memory_bytes(memory);
  check_receipt(verified, inside, &nothing, seen);
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *one = g_ptr_array_index(verified->signatures, i);
    if (!one->receipt)
      continue;
    g_string_append_printf(seen, "%d", cms_receipt_asks(one->receipt, "alice@example.org"));
    g_string_append_printf(seen, "%d", cms_receipt_asks(one->receipt, NULL));
    check_receipt(verified, inside, one->receipt, seen);
  }
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  static void (*const tries[])(const guint8 *, gsize, guint32,
                               GString *) = { try_verify, try_detached, try_info,
                                              try_armor,  try_unseal,   try_receipt };
  if (length < 2)
    return 0;
  guint32 state = 1u + bytes[0];
  gsize which = bytes[1] % G_N_ELEMENTS(tries);
  g_autoptr(GString) whole = g_string_new(NULL);
  g_autoptr(GString) pieces = g_string_new(NULL);
  tries[which](bytes + 2, length - 2, 0, whole);
  tries[which](bytes + 2, length - 2, state, pieces);
  g_assert_true(whole->len == pieces->len && !memcmp(whole->str, pieces->str, whole->len));
  return 0;
}
