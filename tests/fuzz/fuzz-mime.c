/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/mime.h"

/* No crash on any mail; and whatever can be split to be signed reads again as the same. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

static void
sign_and_read(GBytes *mail)
{
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  g_autoptr(GBytes) signature = g_bytes_new_static("0\0", 2);
  if (!mime_split(mail, &entity, &headers, NULL))
    return;
  g_autoptr(GBytes) built = mime_build_signed(headers, entity, signature, "sha256", NULL);
  g_assert_nonnull(built);
  g_autoptr(MimeMessage) again = mime_read(built, NULL);
  g_assert_nonnull(again);
  g_assert_cmpint(again->kind, ==, MIME_SIGNED);
  g_assert_true(g_bytes_equal(again->content, entity));
  g_assert_true(g_bytes_equal(again->signature, signature));
  g_assert_false(again->outside);
  g_autoptr(GBytes) opened = mime_build_opened(headers, entity, NULL);
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  g_autoptr(GBytes) mail = g_bytes_new(bytes, length);
  g_autoptr(MimeMessage) message = mime_read(mail, NULL);
  g_autofree char *from = NULL;
  if (!mime_from(mail, &from, NULL))
    g_assert_null(from);
  mime_is_entity(mail);
  sign_and_read(mail);
  return 0;
}
