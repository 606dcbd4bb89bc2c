/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token-transfer-harness.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 60000

extern char **environ;

Transfer *
transfer_new(Host *host)
{
  Transfer *transfer = g_new0(Transfer, 1);
  g_autofree char *program = g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "signet-token", NULL);
  const char *argv[] = { program,
                         "--transfer",
                         host ? "--module" : NULL,
                         host ? host->module : NULL,
                         "--profile",
                         host ? host->profile : NULL,
                         NULL };
  posix_spawn_file_actions_t actions;
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  posix_spawn_file_actions_init(&actions);
  if (pair[1] == 3)
    pair[1] = fcntl(pair[1], F_DUPFD_CLOEXEC, 4);
  posix_spawn_file_actions_adddup2(&actions, pair[1], 3);
  g_assert_cmpint(
      posix_spawn(&transfer->pid, program, &actions, NULL, (char **)(gpointer)argv, environ), ==,
      0);
  posix_spawn_file_actions_destroy(&actions);
  close(pair[1]);
  wire_channel_start(&transfer->channel, pair[0]);
  return transfer;
}

int
transfer_wait(Transfer *transfer, guint ms)
{
  int status = 0;
  for (guint i = 0; i <= ms / 5; i++) {
    if (waitpid(transfer->pid, &status, WNOHANG) == transfer->pid) {
      transfer->pid = 0;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    g_usleep(5000);
  }
  return -1;
}

void
transfer_close(Transfer *transfer)
{
  wire_channel_clear(&transfer->channel);
}

void
transfer_free(Transfer *transfer)
{
  transfer_close(transfer);
  if (transfer->pid)
    g_assert_cmpint(transfer_wait(transfer, 10000), ==, 0);
  g_free(transfer);
}

GBytes *
transfer_ask(Transfer *transfer, guint16 kind, const WirePacker *body, GError **error)
{
  WireHeader header = { body ? (guint32)body->length : 0, ++transfer->serial, kind, 0 };
  g_autoptr(GByteArray) answer = g_byte_array_new();

  if (!wire_channel_send(&transfer->channel, &header, body ? body->bytes : NULL,
                         base_deadline_in(ANSWER_MS), error))
    return NULL;
  for (;;) {
    const WireHeader *got = &transfer->channel.header;
    if (!wire_channel_receive(&transfer->channel, NULL, base_deadline_in(ANSWER_MS), error))
      return NULL;
    g_assert_cmpuint(got->serial, ==, header.serial);
    if (got->kind == WIRE_ERROR) {
      wire_error_unpack(transfer->channel.bytes, got->length, error);
      return NULL;
    }
    if (got->kind == WIRE_MORE) /* marks where the items of a frame begin */
      g_assert_cmpuint(got->length, >, 4);
    g_byte_array_append(answer, transfer->channel.bytes, got->length);
    if (got->kind == WIRE_OK)
      return g_byte_array_free_to_bytes(g_steal_pointer(&answer));
  }
}

gboolean
transfer_bind(Transfer *transfer, const WireToken *token, const char *pin, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  wire_pack_text(&body, token->serial);
  wire_pack_text(&body, token->label);
  wire_pack_text(&body, token->manufacturer);
  wire_pack_text(&body, token->model);
  wire_pack_text(&body, pin);
  g_autoptr(GBytes) answer = transfer_ask(transfer, WIRE_TRANSFER_BIND, &body, error);
  return answer != NULL;
}

Transfer *
transfer_new_bound(Host *host)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(WireToken) token = host_token(host);
  Transfer *transfer = transfer_new(host);
  transfer_bind(transfer, token, TEST_PIN, &error);
  g_assert_no_error(error);
  return transfer;
}

gboolean
transfer_data(Transfer *transfer, gconstpointer bytes, gsize length, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  wire_pack_bytes(&body, bytes, length);
  g_autoptr(GBytes) answer = transfer_ask(transfer, WIRE_TRANSFER_DATA, &body, error);
  return answer != NULL;
}

void
contents_free(Contents *contents)
{
  if (!contents)
    return;
  g_free(contents->format);
  g_ptr_array_unref(contents->items);
  g_ptr_array_unref(contents->skipped);
  g_free(contents);
}

/* The first item of a frame has a count before it; an answer without items has none. */
static Contents *
read_contents(Transfer *transfer, guint16 kind, const WirePacker *body, GError **error)
{
  WireHeader header = { (guint32)body->length, ++transfer->serial, kind, 0 };
  WireReader reader;
  WireChannel *channel = &transfer->channel;
  g_autoptr(Contents) contents = g_new0(Contents, 1);

  contents->items = g_ptr_array_new_with_free_func((GDestroyNotify)wire_item_free);
  contents->skipped = g_ptr_array_new_with_free_func(g_free);
  if (!wire_channel_send(channel, &header, body->bytes, base_deadline_in(ANSWER_MS), error))
    return NULL;
  for (;;) {
    if (!wire_channel_receive(channel, NULL, base_deadline_in(ANSWER_MS), error))
      return NULL;
    wire_reader_start(&reader, channel->bytes, channel->header.length);
    if (channel->header.kind == WIRE_ERROR) {
      wire_error_unpack(channel->bytes, channel->header.length, error);
      return NULL;
    }
    if (channel->header.kind == WIRE_OK)
      break;
    g_assert_cmpuint(channel->header.kind, ==, WIRE_MORE);
    for (guint32 n = wire_read_u32(&reader); n; n--)
      g_ptr_array_add(contents->items, wire_item_unpack(&reader));
    g_assert_true(wire_reader_done(&reader, "items", NULL));
  }
  contents->format = wire_read_text(&reader, WIRE_NAME_MAX);
  for (guint32 n = wire_read_u32(&reader); n; n--)
    g_ptr_array_add(contents->skipped, wire_read_text(&reader, WIRE_NAME_MAX));
  g_assert_true(wire_reader_done(&reader, "answer", NULL));
  return g_steal_pointer(&contents);
}

static Contents *
read_named(Transfer *transfer, guint16 kind, const char *name, const char *passphrase,
           GError **error)
{
  g_auto(WirePacker) body = { 0 };
  wire_pack_text(&body, name);
  wire_pack_u8(&body, passphrase != NULL);
  wire_pack_text(&body, passphrase);
  return read_contents(transfer, kind, &body, error);
}

Contents *
transfer_read(Transfer *transfer, const char *text, const char *passphrase, GError **error)
{
  if (text && !transfer_data(transfer, text, strlen(text), error))
    return NULL;
  return read_named(transfer, WIRE_TRANSFER_READ, "test.pem", passphrase, error);
}

Contents *
transfer_read_nss(Transfer *transfer, const char *folder, const char *password, GError **error)
{
  return read_named(transfer, WIRE_TRANSFER_READ_NSS, folder, password, error);
}

WireObject *
transfer_store(Transfer *transfer, guint32 index, const char *label, GBytes *id, guint32 flags,
               gboolean *ret_existed, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  gsize length = 0;
  gconstpointer bytes = id ? g_bytes_get_data(id, &length) : NULL;

  wire_pack_u32(&body, index);
  wire_pack_text(&body, label);
  wire_pack_bytes(&body, bytes, length);
  wire_pack_u32(&body, flags);
  g_autoptr(GBytes) answer = transfer_ask(transfer, WIRE_TRANSFER_STORE, &body, error);
  if (!answer)
    return NULL;
  gconstpointer data = g_bytes_get_data(answer, &length);
  wire_reader_start(&reader, data, length);
  *ret_existed = wire_read_u8(&reader);
  WireObject *object = wire_object_unpack(&reader);
  g_assert_true(wire_reader_done(&reader, "answer", NULL));
  return object;
}

EVP_PKEY *
key_new(const char *kind)
{
  EVP_PKEY *key = g_str_equal(kind, "rsa")       ? EVP_RSA_gen(2048)
                  : g_str_equal(kind, "ED25519") ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                                 : EVP_EC_gen(kind);
  g_assert_nonnull(key);
  return key;
}

char *
key_pem(EVP_PKEY *key, const char *passphrase)
{
  BIO *bio = BIO_new(BIO_s_mem());
  char *text = NULL;
  int length = passphrase ? (int)strlen(passphrase) : 0;

  g_assert_cmpint(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_256_cbc() : NULL,
                                                passphrase, length, NULL, NULL),
                  ==, 1);
  long got = BIO_get_mem_data(bio, &text);
  char *pem = g_strndup(text, (gsize)got);
  BIO_free(bio);
  return pem;
}
