/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Key channels: descriptors, frames, and what goes wrong with either. */

#include "base/error.h"
#include "test-client-server.h"
#include "wire/frame.h"
#include "wire/host.h"

#include <signet/key.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OPENED "{\"parameters\":{\"kind\":\"rsa:2048\"}}"

typedef enum {
  HOST_WORKS,
  HOST_CLOSES_AT_ONCE,
  HOST_CLOSES_AFTER_REQUEST,
  HOST_SAYS_ERROR,
  HOST_SAYS_PIN_REQUIRED,
  HOST_WRONG_SERIAL,
  HOST_TWO_ANSWERS,
  HOST_TOO_LONG,
  HOST_HALF,
  HOST_SILENT,
  HOST_WRONG_LENGTH,
  HOST_DRIPS
} HostManner;

typedef struct {
  const HostManner *channels; /* one for each OpenChannel */
  gsize n_channels;
  gboolean without_fd;
  gboolean refused;
  int opened;   /* atomic */
  int requests; /* atomic */
  int methods;  /* atomic */
  GThread *hosts[8];
} Daemon;

typedef struct {
  Daemon *daemon;
  int fd;
  HostManner manner;
} Host;

static void
say_frame(int fd, guint16 kind, guint32 serial, gconstpointer body, gsize length, gsize cut)
{
  g_autofree guint8 *frame = g_malloc0(WIRE_HEADER_SIZE + length);
  const WireHeader header = { .length = (guint32)length, .serial = serial, .kind = kind };
  wire_header_pack(&header, frame);
  if (length)
    memcpy(frame + WIRE_HEADER_SIZE, body, length);
  send(fd, frame, WIRE_HEADER_SIZE + length - cut, MSG_NOSIGNAL);
}

static void
say_error(int fd, guint32 serial, SignetError code)
{
  g_autoptr(GError) error = g_error_new(SIGNET_ERROR, (int)code, "the host says so");
  g_autoptr(GBytes) body = wire_error_pack(error);
  say_frame(fd, WIRE_ERROR, serial, g_bytes_get_data(body, NULL), g_bytes_get_size(body), 0);
}

static void
say_dripping(int fd, guint32 serial, const guint8 *body, gsize length)
{
  guint8 frame[WIRE_HEADER_SIZE + 256];
  const WireHeader header = { .length = (guint32)length, .serial = serial, .kind = WIRE_OK };
  wire_header_pack(&header, frame);
  memcpy(frame + WIRE_HEADER_SIZE, body, length);
  for (gsize i = 0; i < WIRE_HEADER_SIZE + length; i += 5) {
    send(fd, frame + i, MIN(5, WIRE_HEADER_SIZE + length - i), MSG_NOSIGNAL);
    g_usleep(200);
  }
}

/* FALSE: the host ends. */
static gboolean
answer(Host *host, guint32 serial)
{
  static const guint8 signature[256] = { 42 };
  switch (host->manner) {
  case HOST_WORKS:
    say_frame(host->fd, WIRE_OK, serial, signature, 256, 0);
    return TRUE;
  case HOST_SAYS_ERROR:
    say_error(host->fd, serial, SIGNET_ERROR_UNSUPPORTED);
    return TRUE;
  case HOST_SAYS_PIN_REQUIRED:
    say_error(host->fd, serial, SIGNET_ERROR_PIN_REQUIRED);
    return TRUE;
  case HOST_WRONG_SERIAL:
    say_frame(host->fd, WIRE_OK, serial + 1, signature, 256, 0);
    return TRUE;
  case HOST_TWO_ANSWERS: {
    guint8 both[2 * (WIRE_HEADER_SIZE + 256)] = { 0 };
    const WireHeader header = { .length = 256, .serial = serial, .kind = WIRE_OK };
    wire_header_pack(&header, both);
    wire_header_pack(&header, both + WIRE_HEADER_SIZE + 256);
    send(host->fd, both, sizeof both, MSG_NOSIGNAL);
    return TRUE;
  }
  case HOST_TOO_LONG: {
    g_autofree guint8 *big = g_malloc0(100000);
    say_frame(host->fd, WIRE_OK, serial, big, 100000, 0);
    return TRUE;
  }
  case HOST_HALF:
    say_frame(host->fd, WIRE_OK, serial, signature, 256, 100);
    return FALSE;
  case HOST_WRONG_LENGTH:
    say_frame(host->fd, WIRE_OK, serial, signature, 3, 0);
    return TRUE;
  case HOST_DRIPS:
    say_dripping(host->fd, serial, signature, 256);
    return TRUE;
  case HOST_SILENT:
    return TRUE;
  case HOST_CLOSES_AT_ONCE:
  case HOST_CLOSES_AFTER_REQUEST:
    return FALSE;
  }
  return FALSE;
}

static gpointer
run_host(gpointer data)
{
  Host *host = data;
  g_auto(WireChannel) channel;
  wire_channel_start(&channel, host->fd);
  while (host->manner != HOST_CLOSES_AT_ONCE &&
         wire_channel_receive(&channel, NULL, BASE_DEADLINE_NEVER, NULL)) {
    WireReader reader;
    WireOperation operation;
    g_assert_cmpint(channel.header.kind, ==, WIRE_HOST_OPERATE);
    wire_reader_start(&reader, channel.bytes, channel.header.length);
    g_assert_true(wire_operation_unpack(&reader, &operation, NULL));
    g_atomic_int_inc(&host->daemon->requests);
    if (!answer(host, channel.header.serial))
      break;
  }
  g_free(host);
  return NULL;
}

static void
open_channel(TestPeer *peer, Daemon *daemon)
{
  int pair[2];
  int n = g_atomic_int_add(&daemon->opened, 1);
  if (daemon->refused) {
    test_peer_say(peer,
                  "{\"error\":\"org.signet.Error.NoChannel\",\"parameters\":{\"message\":\"no\"}}");
    return;
  }
  if (daemon->without_fd) {
    test_peer_say(peer, OPENED);
    return;
  }
  if ((gsize)n >= daemon->n_channels) {
    test_peer_say(
        peer,
        "{\"error\":\"org.signet.Error.TokenGone\",\"parameters\":{\"message\":\"removed\"}}");
    return;
  }
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  Host *host = g_new0(Host, 1);
  *host = (Host){ daemon, pair[0], daemon->channels[n] };
  daemon->hosts[n] = g_thread_new("host", run_host, host);
  test_peer_say_fd(peer, OPENED, pair[1]);
}

static void
serve(TestPeer *peer, gpointer data)
{
  Daemon *daemon = data;
  test_peer_hello(peer);
  for (;;) {
    g_autoptr(WireJson) call = test_peer_read(peer);
    if (!call)
      return;
    const char *method = json_string_value(json_object_get(call, "method"));
    if (g_str_has_suffix(method, ".OpenChannel")) {
      open_channel(peer, daemon);
    } else {
      static const guint8 signature[256] = { 43 };
      g_autoptr(WireJson) reply = json_object();
      json_t *parameters = json_object();
      g_assert_cmpstr(method, ==, "org.signet.Key.Sign");
      g_atomic_int_inc(&daemon->methods);
      wire_json_set_base64(parameters, "signature", signature, sizeof signature);
      json_object_set_new(reply, "parameters", parameters);
      gsize length = 0;
      char *text = wire_json_text(reply, &length);
      test_peer_say(peer, text);
      wire_text_free(text, length);
    }
  }
}

typedef struct {
  Daemon daemon;
  TestServer *server;
  SignetClient *client;
  SignetKeyHandle *key;
} Fixture;

static void
start(Fixture *fixture, const HostManner *channels, gsize n)
{
  fixture->daemon.channels = channels;
  fixture->daemon.n_channels = n;
  fixture->server = test_server_new(serve, &fixture->daemon);
  fixture->client =
      signet_client_connect(test_server_path(fixture->server), SIGNET_CONNECT_NO_AUTOSTART, NULL);
  fixture->key = signet_key_open(fixture->client, KEY, SIGNET_CAN_SIGN, NULL);
  g_assert_nonnull(fixture->key);
}

static void
finish(Fixture *fixture)
{
  signet_key_close(fixture->key);
  signet_client_free(fixture->client);
  test_server_free(fixture->server);
  for (gsize i = 0; i < G_N_ELEMENTS(fixture->daemon.hosts); i++)
    if (fixture->daemon.hosts[i])
      g_thread_join(fixture->daemon.hosts[i]);
}

static GBytes *
sign(Fixture *fixture, GError **error)
{
  static const guint8 digest[32] = { 1 };
  const SignetOperation operation = {
    .mechanism = SIGNET_RSA_PKCS1, .hash = "sha256", .data = digest, .data_length = sizeof digest
  };
  return signet_key_operate(fixture->key, SIGNET_CAN_SIGN, &operation, error);
}

static void
assert_signs(Fixture *fixture, guint8 first)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) signature = sign(fixture, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(signature), ==, 256);
  g_assert_cmpint(((const guint8 *)g_bytes_get_data(signature, NULL))[0], ==, first);
}

static void
assert_sign_fails(Fixture *fixture, SignetError code)
{
  g_autoptr(GError) error = NULL;
  g_assert_null(sign(fixture, &error));
  g_assert_error(error, SIGNET_ERROR, (int)code);
}

static void
test_channel_works(void)
{
  static const HostManner channels[] = { HOST_WORKS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 1);
  g_assert_true(signet_key_has_channel(fixture.key));
  for (int i = 0; i < 100; i++)
    assert_signs(&fixture, 42);
  g_assert_cmpint(g_atomic_int_get(&fixture.daemon.requests), ==, 100);
  g_assert_cmpint(g_atomic_int_get(&fixture.daemon.methods), ==, 0);
  finish(&fixture);
}

static void
test_dripping_answer_works(void)
{
  static const HostManner channels[] = { HOST_DRIPS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 1);
  assert_signs(&fixture, 42);
  assert_signs(&fixture, 42);
  finish(&fixture);
}

static void
test_no_channel_uses_methods(void)
{
  Fixture fixture = { .daemon.refused = TRUE };
  start(&fixture, NULL, 0);
  g_assert_false(signet_key_has_channel(fixture.key));
  assert_signs(&fixture, 43);
  assert_signs(&fixture, 43);
  g_assert_cmpint(g_atomic_int_get(&fixture.daemon.opened), ==, 1);
  finish(&fixture);
}

static void
test_no_descriptor_uses_methods(void)
{
  Fixture fixture = { .daemon.without_fd = TRUE };
  start(&fixture, NULL, 0);
  g_assert_false(signet_key_has_channel(fixture.key));
  assert_signs(&fixture, 43);
  finish(&fixture);
}

static void
test_revoked_channel_is_opened_again(void)
{
  static const HostManner channels[] = { HOST_CLOSES_AT_ONCE, HOST_WORKS };
  static const HostManner later[] = { HOST_CLOSES_AFTER_REQUEST, HOST_WORKS };
  const HostManner *const tables[] = { channels, later };
  for (gsize i = 0; i < 2; i++) {
    Fixture fixture = { 0 };
    start(&fixture, tables[i], 2);
    g_usleep(20000);
    assert_signs(&fixture, 42);
    g_assert_cmpint(g_atomic_int_get(&fixture.daemon.opened), ==, 2);
    finish(&fixture);
  }
}

static void
test_revoked_for_a_reason_tells_it(void)
{
  static const HostManner channels[] = { HOST_CLOSES_AFTER_REQUEST };
  Fixture fixture = { 0 };
  start(&fixture, channels, 1);
  assert_sign_fails(&fixture, SIGNET_ERROR_TOKEN_GONE);
  finish(&fixture);
}

static void
test_crashing_host_is_tried_twice_only(void)
{
  static const HostManner channels[] = { HOST_CLOSES_AFTER_REQUEST, HOST_CLOSES_AFTER_REQUEST,
                                         HOST_WORKS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 3);
  assert_sign_fails(&fixture, SIGNET_ERROR_TOKEN_DOWN);
  g_assert_cmpint(g_atomic_int_get(&fixture.daemon.requests), ==, 2);
  assert_signs(&fixture, 42);
  finish(&fixture);
}

static void
test_error_frame_keeps_the_channel(void)
{
  static const HostManner channels[] = { HOST_SAYS_ERROR };
  Fixture fixture = { 0 };
  start(&fixture, channels, 1);
  assert_sign_fails(&fixture, SIGNET_ERROR_UNSUPPORTED);
  g_assert_true(signet_key_has_channel(fixture.key));
  assert_sign_fails(&fixture, SIGNET_ERROR_UNSUPPORTED);
  g_assert_cmpint(g_atomic_int_get(&fixture.daemon.opened), ==, 1);
  finish(&fixture);
}

static void
test_locked_on_the_channel_goes_by_method(void)
{
  static const HostManner channels[] = { HOST_SAYS_PIN_REQUIRED, HOST_WORKS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 2);
  assert_signs(&fixture, 43);
  assert_signs(&fixture, 42);
  finish(&fixture);
}

static void
test_nonsense(gconstpointer data)
{
  const HostManner channels[] = { *(const HostManner *)data, HOST_WORKS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 2);
  assert_sign_fails(&fixture, SIGNET_ERROR_BAD_INPUT);
  g_assert_false(signet_key_has_channel(fixture.key));
  assert_signs(&fixture, 42);
  finish(&fixture);
}

static void
test_silent_host_is_timeout(void)
{
  static const HostManner channels[] = { HOST_SILENT, HOST_WORKS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 2);
  signet_client_set_timeout(fixture.client, 100);
  gint64 begun = g_get_monotonic_time();
  assert_sign_fails(&fixture, SIGNET_ERROR_TIMEOUT);
  g_assert_cmpint(g_get_monotonic_time() - begun, <, 500000);
  g_assert_cmpint(g_get_monotonic_time() - begun, >=, 99000);
  signet_client_set_timeout(fixture.client, 5000);
  assert_signs(&fixture, 42);
  finish(&fixture);
}

static void
test_wrong_operation_is_usage(void)
{
  static const HostManner channels[] = { HOST_WORKS };
  static const guint8 digest[31] = { 1 };
  const SignetOperation short_digest = {
    .mechanism = SIGNET_RSA_PKCS1, .hash = "sha256", .data = digest, .data_length = sizeof digest
  };
  const SignetOperation no_verb = { .mechanism = SIGNET_ECDH, .data = digest, .data_length = 31 };
  g_autoptr(GError) error = NULL;
  Fixture fixture = { 0 };
  start(&fixture, channels, 1);
  g_assert_null(signet_key_operate(fixture.key, SIGNET_CAN_SIGN, &short_digest, &error));
  g_assert_nonnull(error);
  g_clear_error(&error);
  g_assert_null(signet_key_operate(fixture.key, SIGNET_CAN_SIGN, &no_verb, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_clear_error(&error);
  g_assert_null(signet_key_operate(fixture.key, SIGNET_CAN_DERIVE, &no_verb, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE); /* not opened for that */
  g_assert_cmpint(g_atomic_int_get(&fixture.daemon.requests), ==, 0);
  finish(&fixture);
}

/* How fast the client's own part is; a number to read, not a test. */
static void
test_speed(void)
{
  static const HostManner channels[] = { HOST_WORKS };
  Fixture fixture = { 0 };
  start(&fixture, channels, 1);
  int n = g_test_perf() ? 200000 : 2000;
  gint64 begun = g_get_monotonic_time();
  for (int i = 0; i < n; i++)
    assert_signs(&fixture, 42);
  gint64 took = g_get_monotonic_time() - begun;
  g_test_message("%d round trips of a channel: %.1f us each", n, (double)took / n);
  finish(&fixture);
}

int
main(int argc, char **argv)
{
  static const HostManner nonsense[] = { HOST_WRONG_SERIAL, HOST_TWO_ANSWERS, HOST_TOO_LONG,
                                         HOST_HALF, HOST_WRONG_LENGTH };
  static const char *const names[] = { "wrong-serial", "two-answers", "too-long", "half",
                                       "wrong-length" };
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/key/channel-works", test_channel_works);
  g_test_add_func("/client/key/dripping-answer-works", test_dripping_answer_works);
  g_test_add_func("/client/key/no-channel-uses-methods", test_no_channel_uses_methods);
  g_test_add_func("/client/key/no-descriptor-uses-methods", test_no_descriptor_uses_methods);
  g_test_add_func("/client/key/revoked-channel-is-opened-again",
                  test_revoked_channel_is_opened_again);
  g_test_add_func("/client/key/revoked-for-a-reason-tells-it", test_revoked_for_a_reason_tells_it);
  g_test_add_func("/client/key/crashing-host-is-tried-twice",
                  test_crashing_host_is_tried_twice_only);
  g_test_add_func("/client/key/error-frame-keeps-the-channel", test_error_frame_keeps_the_channel);
  g_test_add_func("/client/key/locked-goes-by-method", test_locked_on_the_channel_goes_by_method);
  for (gsize i = 0; i < G_N_ELEMENTS(nonsense); i++) {
    g_autofree char *path = g_strdup_printf("/client/key/%s-is-bad-input", names[i]);
    g_test_add_data_func(path, &nonsense[i], test_nonsense);
  }
  g_test_add_func("/client/key/silent-host-is-timeout", test_silent_host_is_timeout);
  g_test_add_func("/client/key/wrong-operation-is-usage", test_wrong_operation_is_usage);
  g_test_add_func("/client/key/speed-is-told", test_speed);
  return g_test_run();
}
