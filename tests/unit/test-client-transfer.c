/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files opened in a process at the end of a channel: what goes there, and every answer that a good
 * one never gives. */

#include "base/error.h"
#include "test-client-server.h"
#include "wire/host.h"
#include "wire/limits.h"
#include "wire/transfer.h"

#include <signet/transfer.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* The process: one function answers each frame; FALSE ends it. */
typedef struct Process Process;
typedef gboolean (*Answer)(Process *process);

struct Process {
  WireChannel channel;
  Answer answer;
  GByteArray *file; /* the parts since the last READ that worked */
  guint reads;
  guint32 flags; /* of the last STORE */
};

typedef struct {
  Process process;
  int starts; /* atomic */
  GPtrArray *threads;
  const char *token;
  gboolean no_descriptor;
  int finished; /* atomic */
  TestServer *server;
  SignetClient *client;
} Fixture;

static void
say(Process *process, guint16 kind, const WirePacker *body)
{
  const WireHeader header = { .length = (guint32)body->length,
                              .serial = process->channel.header.serial,
                              .kind = kind };
  wire_channel_send(&process->channel, &header, body->bytes, base_deadline_in(PATIENCE_MS), NULL);
}

static void
say_error(Process *process, SignetError code, const char *text)
{
  g_autoptr(GError) error = NULL;
  g_auto(WirePacker) body = { 0 };
  base_error_set(&error, code, "%s", text);
  g_autoptr(GBytes) packed = wire_error_pack(error);
  gsize length = 0;
  gconstpointer bytes = g_bytes_get_data(packed, &length);
  wire_pack_raw(&body, bytes, length);
  say(process, WIRE_ERROR, &body);
}

static void
pack_item(WirePacker *body, guint32 index, WireItemKind kind)
{
  char key[] = "00", label[] = "", friendly[] = "Alice", key_kind[] = "ec:p256";
  g_autoptr(GBytes) bytes = g_bytes_new_static("der", 3);
  const WireItem item = { .index = index,
                          .kind = kind,
                          .key = key,
                          .label = kind == WIRE_ITEM_KEY ? friendly : label,
                          .key_kind = key_kind,
                          .bytes = bytes };
  wire_item_pack(&item, body);
}

static void
say_contents(Process *process)
{
  g_auto(WirePacker) items = { 0 };
  g_auto(WirePacker) end = { 0 };
  wire_pack_u32(&items, 2);
  pack_item(&items, 0, WIRE_ITEM_CERTIFICATE);
  pack_item(&items, 1, WIRE_ITEM_KEY);
  say(process, WIRE_MORE, &items);
  wire_pack_text(&end, "PKCS #12");
  wire_pack_u32(&end, 1);
  wire_pack_text(&end, "a CRL: not for import");
  say(process, WIRE_OK, &end);
  g_byte_array_set_size(process->file, 0);
}

static void
take_part(Process *process)
{
  g_auto(WirePacker) none = { 0 };
  WireReader reader;
  gsize length = 0;
  wire_reader_start(&reader, process->channel.bytes, process->channel.header.length);
  const guint8 *bytes = wire_read_bytes(&reader, WIRE_TRANSFER_PART_MAX, &length);
  g_assert_true(wire_reader_done(&reader, "part", NULL));
  g_byte_array_append(process->file, bytes, (guint)length);
  say(process, WIRE_OK, &none);
}

static void
take_store(Process *process)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  gsize id_length = 0;
  char key[] = "", label[] = "Alice", kind[] = "ec:p256";
  g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
  const WireObject object = { .kind = WIRE_OBJECT_KEY,
                              .key = key,
                              .label = label,
                              .id = bytes,
                              .bytes = bytes,
                              .key_kind = kind };
  wire_reader_start(&reader, process->channel.bytes, process->channel.header.length);
  g_assert_cmpuint(wire_read_u32(&reader), ==, 1);
  g_free(wire_read_text(&reader, WIRE_NAME_MAX));
  wire_read_bytes(&reader, WIRE_NAME_MAX, &id_length);
  process->flags = wire_read_u32(&reader);
  g_assert_true(wire_reader_done(&reader, "store", NULL));
  wire_pack_u8(&body, 1);
  wire_object_pack(&object, &body);
  say(process, WIRE_OK, &body);
}

/* Wants the passphrase "secret". */
static gboolean
answer_well(Process *process)
{
  WireReader reader;
  gsize length = 0;
  switch (process->channel.header.kind) {
  case WIRE_TRANSFER_DATA:
    take_part(process);
    return TRUE;
  case WIRE_TRANSFER_STORE:
    take_store(process);
    return TRUE;
  default:
    break;
  }
  wire_reader_start(&reader, process->channel.bytes, process->channel.header.length);
  g_free(wire_read_text(&reader, WIRE_NAME_MAX));
  gboolean has = wire_read_u8(&reader) != 0;
  const guint8 *phrase = wire_read_bytes(&reader, WIRE_TRANSFER_PASSPHRASE_MAX, &length);
  g_assert_true(wire_reader_done(&reader, "read", NULL));
  process->reads++;
  if (!has)
    say_error(process, SIGNET_ERROR_PIN_REQUIRED, "it wants a passphrase");
  else if (length != 6 || memcmp(phrase, "secret", 6) != 0)
    say_error(process, SIGNET_ERROR_PIN_INCORRECT, "it is another one");
  else
    say_contents(process);
  return TRUE;
}

static gboolean
answer_end(Process *process)
{
  return process->channel.header.kind == WIRE_TRANSFER_DATA && answer_well(process);
}

static gboolean
answer_nonsense(Process *process)
{
  g_auto(WirePacker) body = { 0 };
  if (process->channel.header.kind == WIRE_TRANSFER_DATA)
    return answer_well(process);
  wire_pack_u32(&body, 70000);
  wire_pack_raw(&body, "zzzz", 4);
  say(process, WIRE_MORE, &body);
  return TRUE;
}

static gboolean
answer_too_much(Process *process)
{
  if (process->channel.header.kind == WIRE_TRANSFER_DATA)
    return answer_well(process);
  for (int i = 0; i < 30; i++) {
    g_auto(WirePacker) body = { 0 };
    wire_pack_u32(&body, 40);
    for (guint32 j = 0; j < 40; j++)
      pack_item(&body, j, WIRE_ITEM_CERTIFICATE);
    say(process, WIRE_MORE, &body);
  }
  return TRUE;
}

static gpointer
run(gpointer data)
{
  Fixture *fixture = data;
  Process *process = &fixture->process;
  while (wire_channel_receive(&process->channel, NULL, base_deadline_in(PATIENCE_MS), NULL))
    if (!process->answer(process))
      break;
  wire_channel_clear(&process->channel);
  return NULL;
}

/* One process at a time, as the client has it. */
static void
open_process(Fixture *fixture, TestPeer *peer)
{
  int pair[2];
  g_autofree char *text =
      fixture->token ? g_strdup_printf("{\"parameters\":{\"token\":\"%s\"}}", fixture->token)
                     : g_strdup("{\"parameters\":{\"token\":null}}");
  if (fixture->no_descriptor) {
    test_peer_say(peer, text);
    return;
  }
  if (fixture->threads->len)
    g_thread_join(g_ptr_array_steal_index(fixture->threads, 0));
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_atomic_int_inc(&fixture->starts);
  g_byte_array_set_size(fixture->process.file, 0);
  wire_channel_start(&fixture->process.channel, pair[0]);
  g_ptr_array_add(fixture->threads, g_thread_new("process", run, fixture));
  test_peer_say_fd(peer, text, pair[1]);
}

static void
serve(TestPeer *peer, gpointer data)
{
  Fixture *fixture = data;
  test_peer_hello(peer);
  for (;;) {
    g_autoptr(WireJson) call = test_peer_read(peer);
    if (!call)
      return;
    const char *method = json_string_value(json_object_get(call, "method"));
    if (strcmp(method, "org.signet.Transfer.Open") == 0) {
      open_process(fixture, peer);
      continue;
    }
    g_assert_cmpstr(method, ==, "org.signet.Transfer.Finish");
    g_atomic_int_inc(&fixture->finished);
    test_peer_say(peer, "{\"parameters\":{}}");
  }
}

static void
start(Fixture *fixture, Answer answer, const char *token)
{
  memset(fixture, 0, sizeof *fixture);
  fixture->process.answer = answer;
  fixture->process.file = g_byte_array_new();
  fixture->threads = g_ptr_array_new();
  fixture->token = token;
  fixture->server = test_server_new(serve, fixture);
  fixture->client =
      signet_client_connect(test_server_path(fixture->server), SIGNET_CONNECT_NO_AUTOSTART, NULL);
}

static void
finish(Fixture *fixture)
{
  signet_client_free(fixture->client);
  test_server_free(fixture->server);
  if (fixture->threads->len)
    g_thread_join(g_ptr_array_index(fixture->threads, 0));
  g_ptr_array_unref(fixture->threads);
  g_byte_array_unref(fixture->process.file);
}

static GBytes *
file_of(gsize length)
{
  guint8 *bytes = g_malloc(length);
  for (gsize i = 0; i < length; i++)
    bytes[i] = (guint8)(i * 7);
  return g_bytes_new_take(bytes, length);
}

static SignetTransferContents *
read_with(SignetTransfer *transfer, GBytes *file, const char *passphrase, int code)
{
  g_autoptr(GError) error = NULL;
  SignetTransferContents *contents =
      signet_transfer_read(transfer, file, "a.p12", passphrase, &error);
  if (code >= 0)
    g_assert_error(error, SIGNET_ERROR, code);
  else
    g_assert_no_error(error);
  return contents;
}

static void
test_read(void)
{
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) file = file_of(300000); /* three parts */
  start(&fixture, answer_well, NULL);
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(fixture.client, NULL, &error);
  g_assert_no_error(error);
  g_assert_null(read_with(transfer, file, NULL, SIGNET_ERROR_PIN_REQUIRED));
  g_assert_null(read_with(transfer, file, "", SIGNET_ERROR_PIN_INCORRECT));
  g_assert_cmpuint(fixture.process.file->len, ==, 300000); /* sent once */
  g_assert_true(memcmp(fixture.process.file->data, g_bytes_get_data(file, NULL), 300000) == 0);
  g_autoptr(SignetTransferContents) contents = read_with(transfer, file, "secret", -1);
  g_assert_cmpuint(fixture.process.reads, ==, 3);
  g_assert_cmpstr(contents->format, ==, "PKCS #12");
  g_assert_cmpuint(contents->items->len, ==, 2);
  const SignetTransferItem *key = g_ptr_array_index(contents->items, 0);
  const SignetTransferItem *certificate = g_ptr_array_index(contents->items, 1);
  g_assert_true(key->is_key);
  g_assert_cmpuint(key->index, ==, 1);
  g_assert_cmpstr(key->label, ==, "Alice");
  g_assert_false(certificate->is_key);
  g_assert_null(certificate->label);
  g_assert_cmpstr(contents->skipped[0], ==, "a CRL: not for import");
  g_assert_null(contents->skipped[1]);
  g_assert_false(signet_transfer_store(transfer, &(SignetTransferStore){ .index = 1 }, NULL, NULL));
  g_assert_cmpint(g_atomic_int_get(&fixture.starts), ==, 1);
  g_clear_pointer(&transfer, signet_transfer_free);
  finish(&fixture);
}

/* What was sent of one file is never taken for the beginning of the next. */
static void
test_other_file(void)
{
  Fixture fixture;
  g_autoptr(GBytes) first = file_of(1000);
  g_autoptr(GBytes) second = file_of(2000);
  start(&fixture, answer_well, NULL);
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(fixture.client, NULL, NULL);
  g_assert_null(read_with(transfer, first, NULL, SIGNET_ERROR_PIN_REQUIRED));
  g_assert_null(read_with(transfer, second, NULL, SIGNET_ERROR_PIN_REQUIRED));
  g_assert_cmpuint(fixture.process.file->len, ==, 2000);
  g_assert_cmpint(g_atomic_int_get(&fixture.starts), ==, 2);
  g_autoptr(SignetTransferContents) contents = read_with(transfer, second, "secret", -1);
  g_autoptr(SignetTransferContents) again = read_with(transfer, first, "secret", -1);
  g_assert_nonnull(contents);
  g_assert_nonnull(again);
  g_assert_cmpint(g_atomic_int_get(&fixture.starts), ==, 2);
  g_clear_pointer(&transfer, signet_transfer_free);
  finish(&fixture);
}

static void
test_store(void)
{
  Fixture fixture;
  gboolean existed = FALSE;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) file = file_of(10);
  start(&fixture, answer_well, "alice");
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(fixture.client, "alice", &error);
  g_autoptr(SignetTransferContents) contents = read_with(transfer, file, "secret", -1);
  g_assert_nonnull(contents);
  SignetTransferStore store = { .index = 1 };
  g_assert_true(signet_transfer_store(transfer, &store, &existed, &error));
  g_assert_true(existed);
  g_assert_cmpuint(fixture.process.flags, ==,
                   WIRE_KEY_SIGN | WIRE_KEY_DERIVE | WIRE_KEY_EXTRACTABLE);
  store.can = SIGNET_CAN_SIGN;
  store.never_export = TRUE;
  g_assert_true(signet_transfer_store(transfer, &store, NULL, &error));
  g_assert_cmpuint(fixture.process.flags, ==, WIRE_KEY_SIGN);
  g_assert_true(signet_transfer_finish(transfer, &error));
  g_assert_cmpint(g_atomic_int_get(&fixture.finished), ==, 1);
  g_assert_null(read_with(transfer, file, NULL, SIGNET_ERROR_USAGE));
  g_clear_pointer(&transfer, signet_transfer_free);
  finish(&fixture);
}

typedef struct {
  Answer answer;
  int code;
} Bad;

static void
test_bad_answers(gconstpointer data)
{
  const Bad *bad = data;
  Fixture fixture;
  g_autoptr(GBytes) file = file_of(10);
  start(&fixture, bad->answer, NULL);
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(fixture.client, NULL, NULL);
  g_assert_null(read_with(transfer, file, "secret", bad->code));
  g_assert_null(read_with(transfer, file, "secret", SIGNET_ERROR_USAGE)); /* it is over */
  g_clear_pointer(&transfer, signet_transfer_free);
  finish(&fixture);
}

static void
test_limits(void)
{
  Fixture fixture;
  g_autoptr(GBytes) large = file_of(WIRE_TRANSFER_FILE_MAX + 1);
  g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
  g_autofree char *phrase = g_strnfill(WIRE_TRANSFER_PASSPHRASE_MAX + 1, 'x');
  g_autoptr(GBytes) file = file_of(10);
  start(&fixture, answer_well, NULL);
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(fixture.client, NULL, NULL);
  g_assert_null(read_with(transfer, large, NULL, SIGNET_ERROR_TOO_LARGE));
  g_assert_null(read_with(transfer, empty, NULL, SIGNET_ERROR_BAD_INPUT));
  g_assert_null(read_with(transfer, file, phrase, SIGNET_ERROR_TOO_LARGE));
  g_clear_pointer(&transfer, signet_transfer_free);
  finish(&fixture);
}

static void
test_forwarded(void)
{
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answer_well, NULL);
  fixture.no_descriptor = TRUE;
  g_assert_null(signet_transfer_open(fixture.client, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
  finish(&fixture);
}

int
main(int argc, char **argv)
{
  static const Bad ends = { answer_end, SIGNET_ERROR_FAILED };
  static const Bad nonsense = { answer_nonsense, SIGNET_ERROR_BAD_INPUT };
  static const Bad too_much = { answer_too_much, SIGNET_ERROR_TOO_LARGE };
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/transfer/file-is-sent-once", test_read);
  g_test_add_func("/client/transfer/other-file-other-process", test_other_file);
  g_test_add_func("/client/transfer/key-is-stored", test_store);
  g_test_add_data_func("/client/transfer/process-ends-is-failure", &ends, test_bad_answers);
  g_test_add_data_func("/client/transfer/nonsense-is-bad-input", &nonsense, test_bad_answers);
  g_test_add_data_func("/client/transfer/too-many-is-too-large", &too_much, test_bad_answers);
  g_test_add_func("/client/transfer/limits-before-sending", test_limits);
  g_test_add_func("/client/transfer/no-descriptor-is-unsupported", test_forwarded);
  return g_test_run();
}
