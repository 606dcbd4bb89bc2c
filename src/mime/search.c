/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/search.h"

#include "base/error.h"

#include <string.h>

/* What some mailers put before the first part of what they sign; nobody sees it. */
static const char *const preamble_table[] = {
  "This is an S/MIME signed message",
  "This is a cryptographically signed message in MIME format.",
  "This is a multi-part message in MIME format.",
};
#define PREAMBLE_MAX 200

typedef struct {
  const MimeGmime *gmime;
  BaseInput *input;
  MimeFound *found;
  gboolean itself;
  guint parts; /* all seen, against MIME_PARTS_MAX */
} Search;

/* ---- what stands beside ---- */

static gboolean
preamble_is_known(Search *search, MimeRange range, gboolean *ret_known, GError **error)
{
  *ret_known = FALSE;
  if (range.length > PREAMBLE_MAX)
    return TRUE;
  g_autoptr(BaseSink) memory = base_sink_to_memory(PREAMBLE_MAX);
  if (!base_input_read(search->input, range.start, range.length, memory, error) ||
      !base_sink_finish(memory, error))
    return FALSE;
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  g_autofree char *text = range.length
                              ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes))
                              : g_strdup("");
  g_strstrip(text);
  for (gsize i = 0; i < G_N_ELEMENTS(preamble_table); i++)
    *ret_known = *ret_known || strcmp(text, preamble_table[i]) == 0;
  /* What stands behind a NUL is not in `text`. */
  *ret_known = *ret_known && !memchr(g_bytes_get_data(bytes, NULL), '\0', g_bytes_get_size(bytes));
  return TRUE;
}

static gboolean
read_parts(Search *search, const MimeType *type, MimeRange body, MimeParts *parts, GError **error)
{
  const char *boundary = mime_type_boundary(type, error);
  if (!boundary || !mime_parts_read(search->input, body, boundary, parts, error))
    return FALSE;
  search->parts += parts->parts->len;
  return search->parts <= MIME_PARTS_MAX ||
         base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the mail has over %d parts",
                        MIME_PARTS_MAX);
}

static gboolean
look_beside(Search *search, const MimeParts *parts, GError **error)
{
  gboolean before = FALSE;
  gboolean after = FALSE;
  gboolean known = FALSE;
  if (!mime_range_is_blank(search->input, parts->preamble, &before, error) ||
      (!before && !preamble_is_known(search, parts->preamble, &known, error)) ||
      !mime_range_is_blank(search->input, parts->epilogue, &after, error))
    return FALSE;
  if (!before && !known)
    search->found->beside |= MIME_TEXT_BEFORE;
  if (!after)
    search->found->beside |= MIME_TEXT_AFTER;
  return TRUE;
}

GPtrArray *
mime_beside_phrases(guint beside, const char *word)
{
  GPtrArray *phrases = g_ptr_array_new_with_free_func(g_free);
  if (beside & MIME_TEXT_BEFORE)
    g_ptr_array_add(phrases, g_strdup("text before the first part"));
  if (beside & MIME_PART_BEFORE)
    g_ptr_array_add(phrases, g_strdup_printf("a part before the %s one", word));
  if (beside & MIME_PART_AFTER)
    g_ptr_array_add(phrases, g_strdup_printf("a part after the %s one", word));
  if (beside & MIME_TEXT_AFTER)
    g_ptr_array_add(phrases, g_strdup("text after the last part"));
  return phrases;
}

/* ---- the search ---- */

static gboolean
take_cms(Search *search, const MimeHead *head, GError **error)
{
  MimeFound *found = search->found;
  found->kind = MIME_FOUND_CMS;
  found->body = head->body;
  return mime_encoding_read(&head->header, &found->encoding, error);
}

static gboolean
take_signature(Search *search, MimeRange part, GError **error)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  g_auto(MimeType) type = { NULL, NULL };
  if (!mime_head_read(search->input, part, &head, error) ||
      !mime_type_read(search->gmime, &head.header, &type, error))
    return FALSE;
  if (!mime_type_is_signature(&type))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the signed mail's second part is no signature");
  search->found->signature = head.body;
  return mime_encoding_read(&head.header, &search->found->encoding, error);
}

static gboolean
take_signed(Search *search, const MimeType *type, MimeRange body, GError **error)
{
  g_auto(MimeParts) parts = { .parts = NULL };
  search->found->kind = MIME_FOUND_SIGNED;
  if (!read_parts(search, type, body, &parts, error))
    return FALSE;
  if (parts.parts->len < 2 || !parts.closed)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the signed mail is cut short: content, signature and end are not all "
                          "there");
  if (parts.parts->len > 2)
    search->found->beside |= MIME_PART_AFTER;
  search->found->body = g_array_index(parts.parts, MimeRange, 0);
  return look_beside(search, &parts, error) &&
         take_signature(search, g_array_index(parts.parts, MimeRange, 1), error);
}

static gboolean search_entity(Search *search, MimeRange entity, int depth, GError **error);

static gboolean
search_multipart(Search *search, const MimeType *type, MimeRange body, int depth, GError **error)
{
  g_auto(MimeParts) parts = { .parts = NULL };
  if (depth >= MIME_DEPTH_MAX)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the mail's parts are nested over %d deep",
                          MIME_DEPTH_MAX);
  if (!read_parts(search, type, body, &parts, error))
    return FALSE;
  for (guint i = 0; i < parts.parts->len; i++) {
    if (search->found->kind != MIME_FOUND_NOTHING) {
      search->found->beside |= MIME_PART_AFTER;
      break;
    }
    if (!search_entity(search, g_array_index(parts.parts, MimeRange, i), depth + 1, error))
      return FALSE;
  }
  if (search->found->kind != MIME_FOUND_NOTHING)
    return look_beside(search, &parts, error);
  search->found->beside |= MIME_PART_BEFORE; /* it may have no parts, and text around none */
  return TRUE;
}

static gboolean
search_entity(Search *search, MimeRange entity, int depth, GError **error)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  g_auto(MimeType) type = { NULL, NULL };
  if (!mime_head_read(search->input, entity, &head, depth ? NULL : error)) {
    search->found->beside |= MIME_PART_BEFORE; /* a part no program can read: not covered */
    return depth > 0;
  }
  if (!mime_type_read(search->gmime, &head.header, &type, error))
    return FALSE;
  search->found->whole = depth == 0;
  if (mime_type_is_signed(&type))
    return take_signed(search, &type, head.body, error);
  if (mime_type_is_cms(&type))
    return take_cms(search, &head, error);
  if (!search->itself && mime_type_is(&type, "multipart", "*"))
    return search_multipart(search, &type, head.body, depth, error);
  search->found->beside |= MIME_PART_BEFORE;
  return TRUE;
}

gboolean
mime_search(const MimeGmime *gmime, BaseInput *input, MimeRange entity, gboolean itself,
            MimeFound *ret_found, GError **error)
{
  Search search = { .gmime = gmime, .input = input, .found = ret_found, .itself = itself };
  memset(ret_found, 0, sizeof *ret_found);
  return search_entity(&search, entity, 0, error);
}

/* ---- soundness ---- */

static gboolean
is_sound(Search *search, MimeRange entity, int depth)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  g_auto(MimeType) type = { NULL, NULL };
  g_auto(MimeParts) parts = { .parts = NULL };
  if (!mime_head_read(search->input, entity, &head, NULL) || (depth == 0 && !head.header.ended) ||
      !mime_type_read(search->gmime, &head.header, &type, NULL))
    return FALSE;
  if (!mime_type_is(&type, "multipart", "*"))
    return TRUE;
  if (depth >= MIME_DEPTH_MAX || !read_parts(search, &type, head.body, &parts, NULL) ||
      !parts.closed)
    return FALSE;
  for (guint i = 0; i < parts.parts->len; i++)
    if (!is_sound(search, g_array_index(parts.parts, MimeRange, i), depth + 1))
      return FALSE;
  return TRUE;
}

gboolean
mime_is_sound(const MimeGmime *gmime, BaseInput *input, MimeRange entity)
{
  Search search = { .gmime = gmime, .input = input };
  return is_sound(&search, entity, 0);
}
