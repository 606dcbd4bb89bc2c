/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token-harness.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/x509.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 60000

extern char **environ;

static const char *const softhsm[] = { "/usr/lib/softhsm/libsofthsm2.so",
                                       "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                       "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", NULL };

static const char *
find_softhsm(void)
{
  for (gsize i = 0; softhsm[i]; i++)
    if (g_file_test(softhsm[i], G_FILE_TEST_EXISTS))
      return softhsm[i];
  return NULL;
}

gboolean
host_possible(void)
{
  if (find_softhsm())
    return TRUE;
  g_test_skip("SoftHSM is not installed");
  return FALSE;
}

void
host_start(Host *host)
{
  g_autofree char *program = g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "signet-token", NULL);
  const char *argv[] = { program, "--module", host->module, "--profile", host->profile, NULL };
  posix_spawn_file_actions_t actions;
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  posix_spawn_file_actions_init(&actions);
  if (pair[1] == 3)
    pair[1] = fcntl(pair[1], F_DUPFD_CLOEXEC, 4);
  posix_spawn_file_actions_adddup2(&actions, pair[1], 3);
  g_assert_cmpint(
      posix_spawn(&host->pid, program, &actions, NULL, (char **)(gpointer)argv, environ), ==, 0);
  posix_spawn_file_actions_destroy(&actions);
  close(pair[1]);
  wire_channel_start(&host->channel, pair[0]);
}

int
host_wait(Host *host)
{
  int status = 0;
  for (int i = 0; i < 1000; i++) {
    pid_t done = waitpid(host->pid, &status, WNOHANG);
    if (done == host->pid) {
      host->pid = 0;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    g_usleep(10000);
  }
  g_error("the host did not end");
}

void
host_stop(Host *host)
{
  wire_channel_clear(&host->channel);
  if (host->pid)
    g_assert_cmpint(host_wait(host), ==, 0);
}

Host *
host_new_with(const char *module, const char *profile_text)
{
  Host *host = g_new0(Host, 1);
  g_autoptr(GError) error = NULL;

  host->folder = g_dir_make_tmp("signet-token-XXXXXX", &error);
  g_assert_no_error(error);
  g_autofree char *conf = g_build_filename(host->folder, "softhsm2.conf", NULL);
  g_autofree char *tokens = g_build_filename(host->folder, "tokens", NULL);
  g_autofree char *text = g_strdup_printf("directories.tokendir = %s\nobjectstore.backend = file\n"
                                          "log.level = ERROR\nslots.removable = false\n",
                                          tokens);
  g_assert_cmpint(g_mkdir(tokens, 0700), ==, 0);
  g_assert_true(g_file_set_contents(conf, text, -1, NULL));
  g_setenv("SOFTHSM2_CONF", conf, TRUE);
  if (profile_text) {
    host->profile = g_build_filename(host->folder, "test.profile", NULL);
    g_assert_true(g_file_set_contents(host->profile, profile_text, -1, NULL));
  } else {
    host->profile =
        g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), "tokens", "softhsm.profile", NULL);
  }
  host->module = g_strdup(module ? module : find_softhsm());
  if (find_softhsm())
    g_setenv("FAULTY_MODULE", find_softhsm(), TRUE); /* token-faulty-module.c */
  host->notices = g_array_new(FALSE, FALSE, sizeof(guint16));
  host_start(host);
  return host;
}

Host *
host_new(void)
{
  Host *host = host_new_with(NULL, NULL);
  host_hello(host);
  return host;
}

static void
remove_tree(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name = NULL;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    remove_tree(child);
  }
  g_remove(path);
}

void
host_free(Host *host)
{
  host_stop(host);
  remove_tree(host->folder);
  if (host->faults)
    remove_tree(host->faults);
  g_free(host->faults);
  g_free(host->folder);
  g_free(host->profile);
  g_free(host->module);
  g_array_unref(host->notices);
  g_free(host);
}

static void
note(Host *host)
{
  WireReader reader;
  g_array_append_val(host->notices, host->channel.header.kind);
  wire_reader_start(&reader, host->channel.bytes, host->channel.header.length);
  guint32 first = host->channel.header.length >= 4 ? wire_read_u32(&reader) : 0;
  if (host->channel.header.kind == WIRE_HOST_USED)
    host->used += wire_read_u32(&reader);
  if (host->channel.header.kind == WIRE_HOST_CHANNEL_CLOSED)
    host->closed_id = first;
}

GBytes *
host_ask_in(Host *host, guint16 kind, const WirePacker *body, int fd, guint deadline,
            GError **error)
{
  WireHeader header = { body ? (guint32)body->length : 0, ++host->serial, kind, deadline };
  g_autoptr(GByteArray) answer = g_byte_array_new();

  if (!wire_channel_send_fd(&host->channel, &header, body ? body->bytes : NULL, fd,
                            base_deadline_in(ANSWER_MS), error))
    return NULL;
  for (;;) {
    if (!wire_channel_receive(&host->channel, NULL, base_deadline_in(ANSWER_MS), error))
      return NULL;
    const WireHeader *got = &host->channel.header;
    if (got->serial == 0) {
      note(host);
      continue;
    }
    g_assert_cmpuint(got->serial, ==, header.serial);
    if (got->kind == WIRE_ERROR) {
      wire_error_unpack(host->channel.bytes, got->length, error);
      return NULL;
    }
    g_byte_array_append(answer, host->channel.bytes, got->length);
    if (got->kind == WIRE_OK)
      return g_byte_array_free_to_bytes(g_steal_pointer(&answer));
    g_assert_cmpuint(got->kind, ==, WIRE_MORE);
  }
}

GBytes *
host_ask(Host *host, guint16 kind, const WirePacker *body, int fd, GError **error)
{
  return host_ask_in(host, kind, body, fd, 0, error);
}

void
host_listen(Host *host, guint ms)
{
  BaseDeadline deadline = base_deadline_in(ms);
  while (wire_channel_receive(&host->channel, NULL, deadline, NULL))
    note(host);
}

gboolean
host_heard(Host *host, guint16 kind)
{
  for (guint i = 0; i < host->notices->len; i++)
    if (g_array_index(host->notices, guint16, i) == kind)
      return TRUE;
  return FALSE;
}

void
host_hello(Host *host)
{
  g_auto(WirePacker) body = { 0 };
  g_autoptr(GError) error = NULL;
  wire_pack_u32(&body, WIRE_PROTOCOL);
  wire_pack_bytes(&body, "0123456789abcdef0123456789abcdef", 32);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_HELLO, &body, -1, &error);
  g_assert_no_error(error);
  g_assert_nonnull(answer);
}

void
host_pack_token(Host *host, WirePacker *body)
{
  wire_pack_u32(body, host->slot);
  wire_pack_u32(body, host->generation);
}

static void
start_reading(WireReader *reader, GBytes *bytes)
{
  gsize length = 0;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  wire_reader_start(reader, data, length);
}

GBytes *
host_init(Host *host, guint32 slot, const char *label, const char *so, const char *pin,
          GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  wire_pack_u32(&body, slot);
  wire_pack_u32(&body, host->generation);
  wire_pack_text(&body, label);
  wire_pack_text(&body, so);
  wire_pack_text(&body, pin);
  GBytes *answer = host_ask(host, WIRE_HOST_INIT_TOKEN, &body, -1, error);
  if (answer) {
    start_reading(&reader, answer);
    host->slot = wire_read_u32(&reader);
    host->generation = wire_read_u32(&reader);
    g_assert_true(wire_reader_done(&reader, "answer", NULL));
  }
  return answer;
}

gboolean
host_login(Host *host, gboolean so, const char *pin, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  host_pack_token(host, &body);
  wire_pack_u8(&body, so ? 1 : 0);
  wire_pack_text(&body, pin);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_LOGIN, &body, -1, error);
  return answer != NULL;
}

gboolean
host_logout(Host *host, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  host_pack_token(host, &body);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_LOGOUT, &body, -1, error);
  return answer != NULL;
}

Host *
host_new_token(void)
{
  g_autoptr(GError) error = NULL;
  Host *host = host_new();
  g_autoptr(GBytes) answer =
      host_init(host, TOKEN_NO_SLOT, "test token", TEST_SO_PIN, TEST_PIN, &error);
  g_assert_no_error(error);
  host_login(host, FALSE, TEST_PIN, &error);
  g_assert_no_error(error);
  return host;
}

GPtrArray *
host_tokens(Host *host)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_TOKENS, NULL, -1, &error);
  GPtrArray *tokens = g_ptr_array_new_with_free_func((GDestroyNotify)wire_token_free);
  WireReader reader;

  g_assert_no_error(error);
  start_reading(&reader, answer);
  for (guint32 n = wire_read_u32(&reader); n; n--)
    g_ptr_array_add(tokens, wire_token_unpack(&reader));
  g_assert_true(wire_reader_done(&reader, "tokens", &error));
  return tokens;
}

WireToken *
host_token(Host *host)
{
  g_autoptr(GPtrArray) tokens = host_tokens(host);
  for (guint i = 0; i < tokens->len; i++) {
    WireToken *token = tokens->pdata[i];
    if (token->slot == host->slot && token->generation == host->generation)
      return g_ptr_array_steal_index(tokens, i);
  }
  return NULL;
}

GPtrArray *
host_objects(Host *host, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  host_pack_token(host, &body);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_OBJECTS, &body, -1, error);
  if (!answer)
    return NULL;
  GPtrArray *objects = g_ptr_array_new_with_free_func((GDestroyNotify)wire_object_free);
  start_reading(&reader, answer);
  while (reader.at < reader.end && !reader.failed)
    for (guint32 n = wire_read_u32(&reader); n; n--)
      g_ptr_array_add(objects, wire_object_unpack(&reader));
  g_assert_true(wire_reader_done(&reader, "objects", NULL));
  return objects;
}

guint
host_count(GPtrArray *objects, WireObjectKind kind)
{
  guint count = 0;
  for (guint i = 0; i < objects->len; i++)
    count += ((WireObject *)objects->pdata[i])->kind == kind;
  return count;
}

WireObject *
host_generate(Host *host, const char *kind, const char *label, guint32 flags, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  host_pack_token(host, &body);
  wire_pack_text(&body, kind);
  wire_pack_text(&body, label);
  wire_pack_bytes(&body, NULL, 0);
  wire_pack_u32(&body, flags);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_GENERATE, &body, -1, error);
  if (!answer)
    return NULL;
  start_reading(&reader, answer);
  WireObject *object = wire_object_unpack(&reader);
  g_assert_nonnull(object);
  g_assert_true(wire_reader_done(&reader, "object", NULL));
  return object;
}

GBytes *
host_operate(Host *host, const char *key, const WireOperation *operation, const char *pin,
             GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  gsize length = 0;
  host_pack_token(host, &body);
  wire_pack_text(&body, key);
  wire_pack_text(&body, pin);
  wire_operation_pack(operation, &body);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_OPERATE, &body, -1, error);
  if (!answer)
    return NULL;
  start_reading(&reader, answer);
  const guint8 *bytes = wire_read_bytes(&reader, TOKEN_RESULT_MAX, &length);
  g_assert_true(wire_reader_done(&reader, "result", NULL));
  return g_bytes_new(bytes, length);
}

int
host_open_channel(Host *host, const char *key, guint32 verbs, guint32 id, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  int pair[2];
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  host_pack_token(host, &body);
  wire_pack_text(&body, key);
  wire_pack_u32(&body, verbs);
  wire_pack_u32(&body, id);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_OPEN_CHANNEL, &body, pair[1], error);
  close(pair[1]);
  if (answer)
    return pair[0];
  close(pair[0]);
  return -1;
}

GBytes *
channel_operate(WireChannel *channel, const WireOperation *operation, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  wire_operation_pack(operation, &body);
  WireHeader header = { (guint32)body.length, 7, WIRE_HOST_OPERATE, 0 };
  if (!wire_channel_send(channel, &header, body.bytes, base_deadline_in(ANSWER_MS), error) ||
      !wire_channel_receive(channel, NULL, base_deadline_in(ANSWER_MS), error))
    return NULL;
  if (channel->header.kind == WIRE_ERROR) {
    wire_error_unpack(channel->bytes, channel->header.length, error);
    return NULL;
  }
  g_assert_cmpuint(channel->header.kind, ==, WIRE_OK);
  g_assert_cmpuint(channel->header.serial, ==, 7);
  return g_bytes_new(channel->bytes, channel->header.length);
}

EVP_PKEY *
object_key(const WireObject *object)
{
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(object->bytes, &length);
  EVP_PKEY *key = d2i_PUBKEY(NULL, &der, (long)length);
  g_assert_nonnull(key);
  return key;
}

GBytes *
self_signed(EVP_PKEY *public, const char *name)
{
  EVP_PKEY *ca = EVP_EC_gen("P-256");
  X509 *x509 = X509_new();
  guint8 *der = NULL;

  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 4711);
  X509_gmtime_adj(X509_getm_notBefore(x509), -60);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (const guint8 *)name,
                             -1, -1, 0);
  X509_NAME_add_entry_by_txt(X509_get_issuer_name(x509), "CN", MBSTRING_UTF8,
                             (const guint8 *)"test CA", -1, -1, 0);
  X509_set_pubkey(x509, public);
  g_assert_cmpint(X509_sign(x509, ca, EVP_sha256()), >, 0);
  int length = i2d_X509(x509, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  X509_free(x509);
  EVP_PKEY_free(ca);
  return bytes;
}

static char *control; /* file that names the fault */

void
host_fault(const char *name)
{
  g_assert_true(g_file_set_contents(control, name, -1, NULL));
}

gsize
host_calls(const char *function)
{
  g_autofree char *path = g_strconcat(control, ".", function, NULL);
  g_autofree char *text = NULL;
  gsize length = 0;
  return g_file_get_contents(path, &text, &length, NULL) ? length : 0;
}

void
host_forget_calls(const char *function)
{
  g_autofree char *path = g_strconcat(control, ".", function, NULL);
  unlink(path);
}

Host *
host_new_faulty(void)
{
  g_autofree char *module =
      g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "tests", "token-faulty-module.so", NULL);
  g_autofree char *folder = g_dir_make_tmp("signet-faulty-XXXXXX", NULL);
  g_autofree char *profile = NULL;
  g_autofree char *own =
      g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), "tokens", "softhsm.profile", NULL);
  g_autoptr(GError) error = NULL;

  g_free(control);
  control = g_build_filename(folder, "control", NULL);
  g_setenv("FAULTY_CONTROL", control, TRUE);
  host_fault("");
  g_assert_true(g_file_get_contents(own, &profile, NULL, NULL));
  Host *host = host_new_with(module, profile);
  host->faults = g_steal_pointer(&folder);
  host_hello(host);
  g_autoptr(GBytes) answer =
      host_init(host, TOKEN_NO_SLOT, "faulty", TEST_SO_PIN, TEST_PIN, &error);
  g_assert_no_error(error);
  g_assert_true(host_login(host, FALSE, TEST_PIN, NULL));
  return host;
}
