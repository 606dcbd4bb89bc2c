/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "token/host.h"

#define REJECTION_LENGTH 32
#define KEY_NAME_MAX 64
#define OBJECTS_FRAME (64 * 1024) /* a frame of objects is sent when it has grown beyond */

typedef gboolean (*Handler)(TokenJob *job, WireReader *in, WirePacker *out, GError **error);

static BaseSecret *
read_secret(WireReader *in)
{
  gsize length = 0;
  const guint8 *bytes = wire_read_bytes(in, WIRE_PIN_MAX, &length);
  return base_secret_new_from(bytes, length);
}

static void
pack_version(WirePacker *out, CK_VERSION version)
{
  g_autofree char *text = g_strdup_printf("%d.%d", version.major, version.minor);
  wire_pack_text(out, text);
}

static gboolean
describe_module(TokenModule *module, WirePacker *out, GError **error)
{
  CK_INFO info;
  if (!token_module_describe(module, &info, error))
    return FALSE;
  g_autofree char *description =
      token_text(info.libraryDescription, sizeof info.libraryDescription);
  g_autofree char *manufacturer = token_text(info.manufacturerID, sizeof info.manufacturerID);
  wire_pack_u32(out, WIRE_PROTOCOL);
  wire_pack_text(out, description);
  wire_pack_text(out, manufacturer);
  pack_version(out, info.libraryVersion);
  pack_version(out, info.cryptokiVersion);
  return TRUE;
}

static gboolean
load(TokenHost *host, GError **error)
{
  static GMutex lock;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

  (void)locker;
  if (!host->profile)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the module was loaded already");
  host->module = token_module_load(host->module_path, g_steal_pointer(&host->profile),
                                   host->only_serial, error);
  return host->module != NULL;
}

static gboolean
hello(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  TokenHost *host = job->host;
  g_autoptr(GError) slots = NULL;
  guint32 protocol = wire_read_u32(in);
  g_autoptr(BaseSecret) rejection = read_secret(in);

  if (!wire_reader_done(in, "the greeting", error))
    return FALSE;
  if (protocol != WIRE_PROTOCOL)
    return base_error_set(error, SIGNET_ERROR_VERSION,
                          "signetd speaks version %u, its host %d: stop signetd and start it anew",
                          protocol, WIRE_PROTOCOL);
  if (base_secret_length(rejection) != REJECTION_LENGTH)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the greeting carries no secret");
  if (!load(host, error) || !describe_module(host->module, out, error))
    return FALSE;
  host->module->rejection = g_steal_pointer(&rejection);
  if (!token_slots_poll(host->module, &slots))
    base_log("%s", slots->message); /* a reader may only just be starting; the poll goes on */
  host->module->events_data = host;
  host->module->events = &token_host_events;
  atomic_store(&host->ready, TRUE);
  return TRUE;
}

static gboolean
tokens(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  if (!wire_reader_done(in, "the request", error) || !token_slots_poll(job->host->module, error))
    return FALSE;
  g_autoptr(GPtrArray) list = token_slots_list(job->host->module);
  wire_pack_u32(out, list->len);
  for (guint i = 0; i < list->len; i++) {
    g_autoptr(WireToken) record = token_describe(list->pdata[i]);
    wire_token_pack(record, out);
  }
  return TRUE;
}

static void
send_objects(TokenJob *job, GPtrArray *objects, guint from, guint to)
{
  g_auto(WirePacker) frame = { 0 };
  wire_pack_u32(&frame, to - from);
  for (guint i = from; i < to; i++)
    wire_object_pack(objects->pdata[i], &frame);
  token_host_send(job->host, WIRE_MORE, job->header.serial, frame.bytes, frame.length);
}

static gsize
object_size(const WireObject *object)
{
  return g_bytes_get_size(object->bytes) + 4 * TOKEN_TEXT_MAX;
}

static gboolean
objects(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  if (!wire_reader_done(in, "the request", error))
    return FALSE;
  g_autoptr(GPtrArray) list = token_catalogue(job->token, job->deadline, error);
  if (!list)
    return FALSE;
  gsize size = 0;
  guint from = 0;
  for (guint i = 0; i < list->len; i++) {
    size += object_size(list->pdata[i]);
    if (size < OBJECTS_FRAME && i + 1 < list->len)
      continue;
    send_objects(job, list, from, i + 1);
    from = i + 1;
    size = 0;
  }
  wire_pack_u32(out, 0);
  return TRUE;
}

static gboolean
login(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  guint8 user = wire_read_u8(in);
  g_autoptr(BaseSecret) pin = read_secret(in);

  (void)out;
  if (!wire_reader_done(in, "the login", error))
    return FALSE;
  if (user > 1)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "there is no such user");
  return token_login(job->token, user == 1, pin, job->deadline, error);
}

static gboolean
logout(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  (void)out;
  return wire_reader_done(in, "the request", error) &&
         token_logout(job->token, job->deadline, error);
}

static gboolean
init_token(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  guint32 slot = wire_read_u32(in);
  guint32 generation = wire_read_u32(in);
  g_autofree char *label = wire_read_text(in, WIRE_NAME_MAX);
  g_autoptr(BaseSecret) so = read_secret(in);
  g_autoptr(BaseSecret) pin = read_secret(in);

  if (!wire_reader_done(in, "the request", error))
    return FALSE;
  TokenInit ask = { slot, generation, label, so, pin };
  g_autoptr(Token) token = token_init(job->host->module, &ask, job->deadline, error);
  if (!token)
    return FALSE;
  wire_pack_u32(out, token->number);
  wire_pack_u32(out, token->generation);
  return TRUE;
}

static gboolean
set_pin(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autoptr(BaseSecret) old = read_secret(in);
  g_autoptr(BaseSecret) new = read_secret(in);

  (void)out;
  return wire_reader_done(in, "the PIN change", error) &&
         token_set_pin(job->token, old, new, job->deadline, error);
}

static gboolean
init_pin(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autoptr(BaseSecret) so = read_secret(in);
  g_autoptr(BaseSecret) pin = read_secret(in);

  (void)out;
  return wire_reader_done(in, "the PIN change", error) &&
         token_init_pin(job->token, so, pin, job->deadline, error);
}

static gboolean
operate(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autofree char *name = wire_read_text(in, KEY_NAME_MAX);
  g_autoptr(BaseSecret) pin = read_secret(in);
  guint8 result[TOKEN_RESULT_MAX];
  gsize length = 0;
  WireOperation operation = { 0 };

  if (in->failed)
    return wire_reader_done(in, "the operation", error);
  if (!wire_operation_unpack(in, &operation, error))
    return FALSE;
  g_autoptr(TokenKey) key = token_key_find(job->token, name, job->deadline, error);
  if (!key)
    return FALSE;
  TokenOperate ask = { job->token, key, &operation, pin, job->deadline };
  gboolean ok = token_operate(&ask, result, &length, error);
  if (ok)
    wire_pack_bytes(out, result, length);
  base_wipe(result, sizeof result);
  return ok;
}

static gboolean
generate(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autofree char *kind = wire_read_text(in, WIRE_NAME_MAX);
  g_autofree char *label = wire_read_text(in, WIRE_NAME_MAX);
  TokenGenerate ask = { kind, label, NULL, 0, 0 };

  ask.id = wire_read_bytes(in, TOKEN_ID_MAX, &ask.id_length);
  ask.flags = wire_read_u32(in);
  if (!wire_reader_done(in, "the request", error))
    return FALSE;
  g_autoptr(WireObject) object = token_generate(job->token, &ask, job->deadline, error);
  if (object)
    wire_object_pack(object, out);
  return object != NULL;
}

static gboolean
store_certificate(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  TokenCertificate ask = { NULL, 0, NULL, NULL, 0 };

  (void)out;
  ask.der = wire_read_bytes(in, WIRE_CERTIFICATE_MAX, &ask.der_length);
  g_autofree char *label = wire_read_text(in, WIRE_NAME_MAX);
  ask.label = label;
  ask.id = wire_read_bytes(in, TOKEN_ID_MAX, &ask.id_length);
  return wire_reader_done(in, "the request", error) &&
         token_store_certificate(job->token, &ask, job->deadline, error);
}

static gboolean
remove_objects(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autofree char *key = wire_read_text(in, KEY_NAME_MAX);
  g_autofree char *fingerprint = wire_read_text(in, KEY_NAME_MAX);
  guint32 count = 0;

  if (!wire_reader_done(in, "the request", error) ||
      !token_remove(job->token, key, fingerprint, job->deadline, &count, error))
    return FALSE;
  wire_pack_u32(out, count);
  return TRUE;
}

static gboolean
open_channel(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autofree char *name = wire_read_text(in, KEY_NAME_MAX);
  guint32 verbs = wire_read_u32(in);
  guint32 id = wire_read_u32(in);

  (void)out;
  if (!wire_reader_done(in, "the request", error))
    return FALSE;
  if (job->fd < 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "no descriptor came with the request");
  g_autoptr(TokenKey) key = token_key_find(job->token, name, job->deadline, error);
  if (!key)
    return FALSE;
  if (atomic_load(&key->flags) & WIRE_KEY_ALWAYS_AUTH)
    return base_error_set(error, SIGNET_ERROR_NO_CHANNEL, "this key wants the PIN for each use");
  int fd = job->fd;
  job->fd = -1;
  return token_channels_open(job->host->channels, job->token, key, verbs, id, fd, error);
}

static gboolean
abilities(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  guint32 able = 0;

  if (!wire_reader_done(in, "the request", error) ||
      !token_abilities(job->token, names, &able, error))
    return FALSE;
  wire_pack_u32(out, names->len);
  for (guint i = 0; i < names->len; i++)
    wire_pack_text(out, names->pdata[i]);
  wire_pack_u32(out, able);
  return TRUE;
}

static gboolean
seal_key(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autofree char *key = wire_read_text(in, KEY_NAME_MAX);
  gboolean changed = FALSE;

  if (!wire_reader_done(in, "the request", error) ||
      !token_seal(job->token, key, job->deadline, &changed, error))
    return FALSE;
  wire_pack_u8(out, changed != FALSE);
  return TRUE;
}

static gboolean
set_so_pin(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autoptr(BaseSecret) old = read_secret(in);
  g_autoptr(BaseSecret) new = read_secret(in);

  (void)out;
  return wire_reader_done(in, "the PIN change", error) &&
         token_set_so_pin(job->token, old, new, job->deadline, error);
}

static gboolean
erase(TokenJob *job, WireReader *in, WirePacker *out, GError **error)
{
  g_autoptr(BaseSecret) so = read_secret(in);
  guint32 count = 0;

  if (!wire_reader_done(in, "the request", error) ||
      !token_erase(job->token, so, job->deadline, &count, error))
    return FALSE;
  wire_pack_u32(out, count);
  return TRUE;
}

enum { NO_MODULE, MODULE, TOKEN };
enum { OPERATION, PERSON, GENERATION, START };

static const struct {
  WireHostKind kind;
  int needs;
  int deadline;
  Handler handler;
} request_table[] = {
  { WIRE_HOST_HELLO, NO_MODULE, START, hello },
  { WIRE_HOST_TOKENS, MODULE, OPERATION, tokens },
  { WIRE_HOST_OBJECTS, TOKEN, OPERATION, objects },
  { WIRE_HOST_LOGIN, TOKEN, PERSON, login },
  { WIRE_HOST_LOGOUT, TOKEN, OPERATION, logout },
  { WIRE_HOST_INIT_TOKEN, MODULE, GENERATION, init_token },
  { WIRE_HOST_SET_PIN, TOKEN, PERSON, set_pin },
  { WIRE_HOST_INIT_PIN, TOKEN, PERSON, init_pin },
  { WIRE_HOST_OPERATE, TOKEN, OPERATION, operate },
  { WIRE_HOST_GENERATE, TOKEN, GENERATION, generate },
  { WIRE_HOST_STORE_CERTIFICATE, TOKEN, OPERATION, store_certificate },
  { WIRE_HOST_REMOVE, TOKEN, OPERATION, remove_objects },
  { WIRE_HOST_OPEN_CHANNEL, TOKEN, OPERATION, open_channel },
  { WIRE_HOST_ABILITIES, TOKEN, OPERATION, abilities },
  { WIRE_HOST_SEAL_KEY, TOKEN, OPERATION, seal_key },
  { WIRE_HOST_SET_SO_PIN, TOKEN, PERSON, set_so_pin },
  { WIRE_HOST_ERASE, TOKEN, PERSON, erase },
};

static gssize
find_row(guint16 kind)
{
  for (gsize i = 0; i < G_N_ELEMENTS(request_table); i++)
    if (request_table[i].kind == kind)
      return (gssize)i;
  return -1;
}

gboolean
token_request_known(guint16 kind, gboolean *ret_about_token, gboolean *ret_needs_module)
{
  gssize row = find_row(kind);
  if (row < 0)
    return FALSE;
  *ret_about_token = request_table[row].needs == TOKEN;
  *ret_needs_module = request_table[row].needs != NO_MODULE;
  return TRUE;
}

guint
token_request_deadline(TokenHost *host, guint16 kind)
{
  const BaseProfile *profile = host->module ? host->module->profile : host->profile;
  gssize row = find_row(kind);

  if (row < 0 || !profile)
    return WIRE_OPERATION_MS;
  switch (request_table[row].deadline) {
  case PERSON:
    return MAX(profile->operation_ms, WIRE_PERSON_MS);
  case GENERATION:
    return profile->generate_ms;
  case START:
    return profile->start_ms;
  default:
    return profile->operation_ms;
  }
}

void
token_request_do(TokenJob *job)
{
  g_auto(WirePacker) out = { 0 };
  g_autoptr(GError) error = NULL;
  WireReader in;
  gssize row = find_row(job->header.kind);

  g_assert(row >= 0); /* token_request_known() was asked */
  wire_reader_start(&in, job->secret ? base_secret_bytes(job->secret) : job->bytes,
                    job->header.length);
  if (request_table[row].needs == TOKEN) { /* read already, to find the token */
    wire_read_u32(&in);
    wire_read_u32(&in);
  }
  if (request_table[row].handler(job, &in, &out, &error))
    token_host_send(job->host, WIRE_OK, job->header.serial, out.bytes, out.length);
  else
    token_host_send_error(job->host, job->header.serial, error);
}
