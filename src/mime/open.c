/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/opened.h"

/* ---- what came out of a seal ---- */

/* What opens to anything but mail was altered on the way, or the key is not the mail's (RFC 8551 6).
 * CBC tells nothing of that, and whoever can alter it can move its pieces about (EFAIL): then
 * what is cut off or garbled anywhere is not let out either. */
static gboolean
check_opened(MimeOpened *opened, const MimeLayer *layer, const MimeSource *content, GError **error)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  if (!mime_head_read(content->input, content->range, &head, NULL) || !mime_head_is_entity(&head))
    return base_error_set(
        error, SIGNET_ERROR_CANNOT_DECRYPT,
        "cannot open this mail: what is inside is no mail, so it was damaged or altered");
  opened->unsure = !layer->unsealed->authenticated;
  if (opened->unsure && !mime_is_sound(opened->gmime, content->input, content->range))
    return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                          "cannot open this mail: what is inside is cut short or garbled, so it "
                          "was damaged or altered on the way");
  return TRUE;
}

static gboolean
is_entity(const MimeSource *source)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  return mime_head_read(source->input, source->range, &head, NULL) && mime_head_is_entity(&head);
}

/* ---- one layer after the other ---- */

/* Copies of outer layers that nothing needs any more; a triple wrap would hold three. */
static void
drop_inputs(MimeOpened *opened)
{
  for (guint i = opened->inputs->len; i > 1; i--) {
    const BaseInput *input = g_ptr_array_index(opened->inputs, i - 2);
    if (input != opened->output.input && input != opened->content.input &&
        input != opened->payload.input)
      g_ptr_array_remove_index(opened->inputs, i - 2);
  }
}

static gboolean
is_signed(const MimeLayer *layer)
{
  return layer->kind == MIME_SIGNED || layer->kind == MIME_OPAQUE_SIGNED;
}

static gboolean
was_sealed(const MimeOpened *opened)
{
  for (guint i = 0; i < opened->layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(opened->layers, i);
    if (layer->unsealed)
      return TRUE;
  }
  return FALSE;
}

static void
keep_source(MimeOpened *opened, const MimeLayer *layer, const MimeFound *found, MimeSource *content)
{
  if (content->input)
    opened->payload = *content;
  if (is_signed(layer)) {
    opened->innermost = layer;
    opened->content = *content;
  }
  gboolean unpack =
      layer->kind == MIME_OPAQUE_SIGNED && found->whole && content->input && is_entity(content);
  if (layer->unsealed || unpack)
    opened->output = *content;
}

/* Which layers there are inside of it is looked for in *source then; without an input: none. */
static gboolean
take_layer(MimeOpened *opened, MimeLayer *layer, const MimeFound *found, MimeSource *source,
           MimeSource *content, GError **error)
{
  gboolean inner = opened->layers->len > 0;
  gboolean copied = content->input && content->input != source->input;
  g_ptr_array_add(opened->layers, layer);
  if (copied)
    g_ptr_array_add(opened->inputs, content->input);
  if (layer->unsealed && !check_opened(opened, layer, content, error))
    return FALSE;
  if (layer->kind != MIME_CERTIFICATES)
    keep_source(opened, layer, found, content);
  gboolean goes_on = content->input && layer->kind != MIME_CERTIFICATES &&
                     (found->whole || !inner) && is_entity(content);
  *source = goes_on ? *content : (MimeSource){ .input = NULL };
  drop_inputs(opened);
  return TRUE;
}

/* What is wrong with the content, not with the machine. */
static gboolean
is_problem(const GError *error)
{
  return g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

/* A signature inside that cannot be read withholds nothing: it is the person's own mail. */
static gboolean
take_problem(MimeOpened *opened, const MimeFound *found, GError *problem, GError **error)
{
  if (opened->layers->len == 0 || !is_problem(problem)) {
    g_propagate_error(error, problem);
    return FALSE;
  }
  if (found->kind != MIME_FOUND_NOTHING) {
    MimeLayer *layer =
        mime_layer_new(found->kind == MIME_FOUND_SIGNED ? MIME_SIGNED : MIME_OPAQUE_SIGNED, found);
    layer->problem = g_strdup(problem->message);
    opened->innermost = layer;
    g_ptr_array_add(opened->layers, layer);
  }
  g_error_free(problem);
  return TRUE;
}

static gboolean
too_many(GError **error)
{
  return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                        "the mail is signed or sealed over %d times, one around the other",
                        MIME_LAYERS_MAX);
}

/* *source without an input: there is no more. */
static gboolean
open_next(MimeOpened *opened, MimeSource *source, GError **error)
{
  g_autoptr(GError) problem = NULL;
  MimeFound found;
  MimeSource content = { .input = NULL };
  MimeSource from = *source;
  gboolean inner = opened->layers->len > 0;
  gboolean itself = inner && is_signed(g_ptr_array_index(opened->layers, opened->layers->len - 1));
  source->input = NULL;
  if (!mime_search(opened->gmime, from.input, from.range, itself, &found, &problem))
    return take_problem(opened, &found, g_steal_pointer(&problem), error);
  if (found.kind == MIME_FOUND_NOTHING)
    return TRUE;
  if (opened->layers->len == MIME_LAYERS_MAX)
    return too_many(error);
  MimeLayer *layer = mime_layer_open(opened, from.input, &found, &content, &problem);
  if (!layer)
    return take_problem(opened, &found, g_steal_pointer(&problem), error);
  if (layer->kind == MIME_SEALED && !layer->unsealed && inner && opened->depth == MIME_OPEN_ALL) {
    mime_layer_free(layer); /* attached, and no layer of this mail */
    return TRUE;
  }
  *source = from;
  if (take_layer(opened, layer, &found, source, &content, error)) {
    if (opened->depth == MIME_OPEN_LOOK)
      source->input = NULL;
    return TRUE;
  }
  return FALSE;
}

static gboolean
open_all(MimeOpened *opened, GError **error)
{
  if (base_input_length(opened->mail.input) == 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the mail is empty");
  if (!mime_head_read(opened->mail.input, opened->mail.range, &opened->head, error))
    return FALSE;
  for (MimeSource source = opened->mail; source.input;)
    if (!open_next(opened, &source, error))
      return FALSE;
  if (!was_sealed(opened))
    opened->unsure = FALSE;
  mime_protect_read(opened);
  mime_claim_fill(opened);
  return TRUE;
}

MimeOpened *
mime_open_with(BaseInput *input, MimeDepth depth, MimeKeys keys, gpointer data, GError **error)
{
  const MimeGmime *gmime = mime_gmime(error);
  if (!gmime)
    return NULL;
  g_autoptr(MimeOpened) opened = g_new0(MimeOpened, 1);
  opened->gmime = gmime;
  opened->depth = depth;
  opened->keys = keys;
  opened->data = data;
  opened->mail = (MimeSource){ input, mime_range_of(input), FALSE };
  opened->layers = g_ptr_array_new_with_free_func((GDestroyNotify)mime_layer_free);
  opened->inputs = g_ptr_array_new_with_free_func((GDestroyNotify)base_input_free);
  opened->uncovered = g_ptr_array_new();
  opened->notes = g_ptr_array_new_with_free_func(g_free);
  opened->protected = g_ptr_array_new_with_free_func((GDestroyNotify)mime_protected_free);
  return open_all(opened, error) ? g_steal_pointer(&opened) : NULL;
}

/* ---- with libsignet's keys ---- */

typedef struct {
  MimeConnect connect;
  gpointer data;
} Connecting;

static gboolean
connect_keys(gpointer data, CmsKeys *ret_keys, GError **error)
{
  const Connecting *connecting = data;
  SignetClient *client = connecting->connect(connecting->data, error);
  if (client)
    *ret_keys = cms_keys_of(client);
  return client != NULL;
}

MimeOpened *
mime_open(BaseInput *input, MimeDepth depth, MimeConnect connect, gpointer data, GError **error)
{
  Connecting connecting = { connect, data };
  return mime_open_with(input, depth, connect_keys, &connecting, error);
}

void
mime_opened_free(MimeOpened *opened)
{
  if (!opened)
    return;
  mime_head_clear(&opened->head);
  mime_head_clear(&opened->inside);
  g_clear_pointer(&opened->layers, g_ptr_array_unref);
  g_clear_pointer(&opened->inputs, g_ptr_array_unref);
  g_clear_pointer(&opened->uncovered, g_ptr_array_unref);
  g_clear_pointer(&opened->notes, g_ptr_array_unref);
  g_clear_pointer(&opened->protected, g_ptr_array_unref);
  g_free(opened->from);
  g_free(opened->sender);
  g_free(opened->subject);
  g_free(opened);
}

const GPtrArray *
mime_opened_layers(const MimeOpened *opened)
{
  return opened->layers;
}

const TrustClaim *
mime_opened_claim(const MimeOpened *opened)
{
  return &opened->claim;
}

const char *
mime_opened_subject(const MimeOpened *opened)
{
  return opened->subject;
}

const MimeLayer *
mime_opened_signed(const MimeOpened *opened)
{
  return opened->innermost;
}

const GPtrArray *
mime_opened_notes(const MimeOpened *opened)
{
  return opened->notes;
}

const GPtrArray *
mime_opened_protected(const MimeOpened *opened)
{
  return opened->protected;
}

void
mime_opened_vouch(MimeOpened *opened)
{
  opened->vouched = TRUE;
}
