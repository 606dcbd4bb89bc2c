/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "mime/opened.h"

#include <string.h>

/* ---- addresses that are shown where a name belongs ---- */

/* Some look like it: FULLWIDTH and SMALL COMMERCIAL AT. */
static gboolean
is_at(gunichar c)
{
  return c == '@' || c == 0xff20 || c == 0xfe6b;
}

static gboolean
is_of_address(gunichar c)
{
  return g_unichar_isalnum(c) || (c < 128 && c != 0 && strchr(".!#$%&'*+-/=?^_`{|}~", (int)c));
}

/* The word around the at-sign at `at`, with a plain one; NULL when there is none. */
static char *
address_around(const char *text, const char *at)
{
  const char *start = at;
  const char *end = g_utf8_find_next_char(at, NULL);
  const char *domain = end;
  for (const char *c = start;
       (c = g_utf8_find_prev_char(text, c)) && is_of_address(g_utf8_get_char(c));)
    start = c;
  while (*end && is_of_address(g_utf8_get_char(end)))
    end = g_utf8_find_next_char(end, NULL);
  if (start == at || end == domain)
    return NULL;
  g_autofree char *local = g_strndup(start, (gsize)(at - start));
  g_autofree char *rest = g_strndup(domain, (gsize)(end - domain));
  return g_strconcat(local, "@", rest, NULL);
}

/* TRUE when `text`, a From field as a reader shows it, has an address other than `real`. */
static gboolean
shows_another(const char *text, const char *real)
{
  g_autofree char *own = base_address_normal(real);
  for (const char *at = text; *at; at = g_utf8_find_next_char(at, NULL)) {
    g_autofree char *shown = is_at(g_utf8_get_char(at)) ? address_around(text, at) : NULL;
    g_autofree char *normal = shown ? base_address_normal(shown) : NULL;
    if (shown && g_strcmp0(normal, own) != 0 && g_ascii_strcasecmp(shown, real) != 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_display_trick(const MimeOpened *opened, const MimeHeader *header, const char *from)
{
  for (guint i = 0; from && i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!mime_field_is(field, "From"))
      continue;
    g_autofree char *raw = mime_field_text(field);
    g_autofree char *text = mime_shown(opened->gmime, raw);
    if (shows_another(text, from))
      return TRUE;
  }
  return FALSE;
}

/* ---- the claim ---- */

typedef struct {
  char *address; /* (nullable) */
  int count;
} Person;

static void
person_clear(Person *person)
{
  g_free(person->address);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Person, person_clear)

static Person
person_of(const MimeHeader *header, const char *name)
{
  Person person = { NULL, 0 };
  int fields = 0;
  mime_header_address(header, name, &person.address, &person.count, &fields);
  if (fields > 1) /* a reader may show either */
    g_clear_pointer(&person.address, g_free);
  /* A field without an address, "boss@example.com <>", shows one all the same. */
  person.count = MAX(person.count, fields);
  return person;
}

static char *
subject_of(const MimeOpened *opened, const MimeHeader *header)
{
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!mime_field_is(field, "Subject"))
      continue;
    g_autofree char *raw = mime_field_text(field);
    return mime_shown(opened->gmime, raw);
  }
  return NULL;
}

static void
note(MimeOpened *opened, const char *text)
{
  g_ptr_array_add(opened->notes, g_strdup(text));
}

/* From and Sender of one head. */
static void
take_head(MimeOpened *opened, const MimeHeader *header)
{
  g_auto(Person) from = person_of(header, "From");
  g_auto(Person) sender = person_of(header, "Sender");
  g_free(opened->from);
  g_free(opened->sender);
  opened->from = g_steal_pointer(&from.address);
  opened->sender = g_steal_pointer(&sender.address);
  opened->claim.from = opened->from;
  opened->claim.from_count = from.count;
  opened->claim.sender = opened->sender;
  opened->claim.display_address = has_display_trick(opened, header, opened->from);
}

static const MimeProtected *
protected_from(const MimeOpened *opened)
{
  for (guint i = 0; i < opened->protected->len; i++) {
    const MimeProtected *field = g_ptr_array_index(opened->protected, i);
    if (g_ascii_strcasecmp(field->name, "From") == 0)
      return field;
  }
  return NULL;
}

/* The signature is held against the protected From, which `decrypt` writes in the place of the outer one if it is
 * good. Who is shown the mail as it is (`verify`) sees the outer one: where it is another, nobody can
 * tell who is meant. */
static void
take_protected(MimeOpened *opened, const MimeProtected *from)
{
  g_auto(Person) outer = person_of(&opened->head.header, "From");
  take_head(opened, &opened->inside.header);
  gboolean same = outer.address ? g_strcmp0(outer.address, opened->from) == 0
                                : g_strcmp0(from->inside, from->outside) == 0;
  opened->other_from = outer.count > 0 && !same;
  if (!opened->other_from)
    return;
  if (from->expected) /* else it is said already (protect.c) */
    g_ptr_array_add(opened->notes, g_strdup_printf("outside it says that it is from %s",
                                                   outer.address ? outer.address : "several"));
  if (opened->depth == MIME_OPEN_ALL && opened->output.input)
    return;
  opened->claim.from = NULL;
  opened->claim.from_count = MAX(2, opened->claim.from_count);
}

/* A whole message may be inside, with headers of its own. */
static void
take_inner(MimeOpened *opened)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  if (!mime_head_read(opened->payload.input, opened->payload.range, &head, NULL))
    return; /* a signed text that is no entity */
  g_auto(Person) from = person_of(&head.header, "From");
  if (from.count > 0)
    take_head(opened, &head.header);
}

/* ---- what the signature covers ---- */

/* What stands beside a seal is not in what comes out of it; so only what stands beside
 * signatures inside of the last seal is shown as if it were signed. */
static void
gather_uncovered(MimeOpened *opened)
{
  guint first = 0;
  gboolean outside = FALSE;
  guint signed_at = 0;
  for (guint i = 0; i < opened->layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(opened->layers, i);
    if (layer->unsealed)
      first = i + 1;
    if (layer == opened->innermost)
      signed_at = i;
  }
  outside = opened->innermost && signed_at < first;
  if (outside)
    note(opened, "signed outside the seal: the signer need not have known what is inside");
  for (guint i = first; i < opened->layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(opened->layers, i);
    gboolean counts = layer->kind == MIME_SIGNED || layer->kind == MIME_OPAQUE_SIGNED;
    for (guint k = 0; counts && k < layer->uncovered->len; k++)
      g_ptr_array_add(opened->uncovered, g_ptr_array_index(layer->uncovered, k));
  }
  for (guint i = 0; i < first; i++) {
    const MimeLayer *layer = g_ptr_array_index(opened->layers, i);
    for (guint k = 0; k < layer->uncovered->len; k++) {
      g_autofree char *text = g_strdup_printf("left out, since it stands beside what is sealed: %s",
                                              (const char *)g_ptr_array_index(layer->uncovered, k));
      note(opened, text);
    }
  }
}

static gboolean
is_vouched_for(const MimeOpened *opened)
{
  const CmsVerified *verified = opened->innermost ? opened->innermost->verified : NULL;
  gboolean good = verified && verified->signatures->len > 0;
  for (guint i = 0; good && i < verified->signatures->len; i++)
    good = ((const CmsSignature *)g_ptr_array_index(verified->signatures, i))->state ==
           CMS_SIGNATURE_GOOD;
  return good;
}

static void
note_seal(MimeOpened *opened)
{
  const MimeLayer *last = NULL;
  gboolean signed_inside = FALSE;
  for (guint i = 0; i < opened->layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(opened->layers, i);
    signed_inside = layer == opened->innermost || (signed_inside && !layer->unsealed);
    if (layer->unsealed)
      last = layer;
  }
  if (last && last->unsealed->weak) {
    g_autofree char *text =
        g_strdup_printf("sealed with %s, which is no longer safe", last->unsealed->cipher);
    note(opened, text);
  }
  if (!opened->unsure || (signed_inside && is_vouched_for(opened)))
    return;
  g_autofree char *text = g_strdup_printf("it may have been altered on the way: %s cannot tell",
                                          last->unsealed->cipher);
  note(opened, text);
}

void
mime_claim_fill(MimeOpened *opened)
{
  gboolean protected = opened->protected->len > 0;
  opened->claim.mail = TRUE;
  take_head(opened, &opened->head.header);
  opened->subject = subject_of(opened, &opened->head.header);
  if (protected) {
    const MimeProtected *from = protected_from(opened);
    char *subject = subject_of(opened, &opened->inside.header);
    if (from)
      take_protected(opened, from);
    if (subject) {
      g_free(opened->subject);
      opened->subject = subject;
    }
  } else if (opened->claim.from_count == 0 && opened->payload.input)
    take_inner(opened);
  gather_uncovered(opened);
  note_seal(opened);
  opened->claim.uncovered = opened->uncovered;
}
