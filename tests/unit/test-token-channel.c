/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key channels: what they allow, how they end, what is reported. */
#include "token-harness.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIGN_ONLY (1u << WIRE_SIGN)
#define CLIENTS 16
#define ROUNDS 50

static const guint8 digest[32] = { 1, 2, 3 };

static const WireOperation sign_ec = { .verb = WIRE_SIGN,
                                       .mechanism = WIRE_ECDSA,
                                       .hash = WIRE_SHA256,
                                       .data = digest,
                                       .data_length = sizeof digest };

static Host *
host_with_key(WireObject **ret_object)
{
  g_autoptr(GError) error = NULL;
  Host *host = host_new_token();
  *ret_object = host_generate(host, "ec:p256", "key", WIRE_KEY_SIGN | WIRE_KEY_DERIVE, &error);
  g_assert_no_error(error);
  return host;
}

static void
open_channel(Host *host, const WireObject *object, guint32 verbs, guint32 id, WireChannel *channel)
{
  g_autoptr(GError) error = NULL;
  int fd = host_open_channel(host, object->key, verbs, id, &error);
  g_assert_no_error(error);
  wire_channel_start(channel, fd);
}

static gboolean
is_open(WireChannel *channel)
{
  guint8 byte = 0;
  return recv(channel->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static void
wait_closed(WireChannel *channel)
{
  for (int i = 0; i < 500 && is_open(channel); i++)
    g_usleep(10000);
  g_assert_false(is_open(channel));
}

static void
test_signs_many_and_reports(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_auto(WireChannel) channel = { .fd = -1 };
  g_autoptr(GError) error = NULL;

  open_channel(host, object, SIGN_ONLY, 42, &channel);
  for (int i = 0; i < 300; i++) {
    g_autoptr(GBytes) signature = channel_operate(&channel, &sign_ec, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(signature), >=, 68);
  }
  wire_channel_clear(&channel);
  host_listen(host, 500);
  g_assert_cmpuint(host->used, ==, 300);
  g_assert_true(host_heard(host, WIRE_HOST_CHANNEL_CLOSED));
  g_assert_cmpuint(host->closed_id, ==, 42);
}

static void
test_verb_outside_mask_is_denied(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_auto(WireChannel) channel = { .fd = -1 };
  g_autoptr(GError) error = NULL;

  open_channel(host, object, 1u << WIRE_DERIVE, 1, &channel);
  g_assert_null(channel_operate(&channel, &sign_ec, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
  g_assert_true(is_open(&channel));
}

static void
test_bad_parameters_leave_it_open(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_auto(WireChannel) channel = { .fd = -1 };
  g_autoptr(GError) error = NULL;
  WireOperation bad = sign_ec;

  bad.data_length = 3;
  open_channel(host, object, SIGN_ONLY, 1, &channel);
  g_assert_null(channel_operate(&channel, &bad, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_autoptr(GBytes) signature = channel_operate(&channel, &sign_ec, NULL);
  g_assert_nonnull(signature);
}

static void
test_garbage_gets_one_error_and_the_end(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  static const guint16 kinds[] = { WIRE_HOST_OPERATE, WIRE_HOST_LOGIN };

  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
    g_auto(WireChannel) channel = { .fd = -1 };
    g_autoptr(GError) error = NULL;
    WireHeader header = { 5, 9, kinds[i], 0 };
    open_channel(host, object, SIGN_ONLY, 1, &channel);
    g_assert_true(
        wire_channel_send(&channel, &header, "\xff\xff\xff\xff\xff", base_deadline_in(1000), NULL));
    g_assert_true(wire_channel_receive(&channel, NULL, base_deadline_in(5000), NULL));
    g_assert_cmpuint(channel.header.kind, ==, WIRE_ERROR);
    wait_closed(&channel);
  }
  g_auto(WireChannel) channel = { .fd = -1 };
  guint8 huge[16] = { 0xff, 0xff, 0xff, 0x7f };
  open_channel(host, object, SIGN_ONLY, 1, &channel);
  g_assert_cmpint(send(channel.fd, huge, sizeof huge, MSG_NOSIGNAL), ==, 16);
  g_assert_true(wire_channel_receive(&channel, NULL, base_deadline_in(5000), NULL));
  g_assert_cmpuint(channel.header.kind, ==, WIRE_ERROR);
  wait_closed(&channel);
  g_autoptr(WireToken) token = host_token(host); /* the host is well */
  g_assert_nonnull(token);
}

static void
test_half_and_joined_frames_work(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_auto(WireChannel) channel = { .fd = -1 };
  g_auto(WirePacker) frames = { 0 };
  g_auto(WirePacker) body = { 0 };
  guint8 head[WIRE_HEADER_SIZE];

  wire_operation_pack(&sign_ec, &body);
  for (guint32 i = 1; i <= 3; i++) {
    WireHeader header = { (guint32)body.length, i, WIRE_HOST_OPERATE, 0 };
    wire_header_pack(&header, head);
    wire_pack_raw(&frames, head, sizeof head);
    wire_pack_raw(&frames, body.bytes, body.length);
  }
  open_channel(host, object, SIGN_ONLY, 1, &channel);
  for (gsize at = 0; at < frames.length;) { /* seven bytes at a time */
    gsize step = MIN(7, frames.length - at);
    g_assert_cmpint(send(channel.fd, frames.bytes + at, step, MSG_NOSIGNAL), ==, (gssize)step);
    at += step;
  }
  for (guint32 i = 1; i <= 3; i++) {
    g_assert_true(wire_channel_receive(&channel, NULL, base_deadline_in(5000), NULL));
    g_assert_cmpuint(channel.header.kind, ==, WIRE_OK);
    g_assert_cmpuint(channel.header.serial, ==, i);
  }
}

static void
test_lock_closes_it(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_auto(WireChannel) channel = { .fd = -1 };
  g_autoptr(GError) error = NULL;

  open_channel(host, object, SIGN_ONLY, 1, &channel);
  g_assert_true(host_logout(host, NULL));
  wait_closed(&channel);
  g_assert_cmpint(host_open_channel(host, object->key, SIGN_ONLY, 2, &error), ==, -1);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
}

static void
test_shutdown_by_the_broker_ends_it(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_auto(WireChannel) channel = { .fd = -1 };

  open_channel(host, object, SIGN_ONLY, 5, &channel);
  int duplicate = dup(channel.fd);
  g_autoptr(GBytes) signature = channel_operate(&channel, &sign_ec, NULL);
  g_assert_nonnull(signature);
  shutdown(duplicate, SHUT_RDWR);
  close(duplicate);
  g_assert_null(channel_operate(&channel, &sign_ec, NULL));
  host_listen(host, 500);
  g_assert_cmpuint(host->closed_id, ==, 5);
}

typedef struct {
  WireChannel channel;
  GThread *thread;
} Client;

static gpointer
run_client(gpointer data)
{
  Client *client = data;
  for (int i = 0; i < ROUNDS; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) signature = channel_operate(&client->channel, &sign_ec, &error);
    g_assert_no_error(error);
  }
  return NULL;
}

static void
test_many_at_once_while_objects_change(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  Client clients[CLIENTS];

  for (guint32 i = 0; i < CLIENTS; i++)
    open_channel(host, object, SIGN_ONLY, i, &clients[i].channel);
  for (guint32 i = 0; i < CLIENTS; i++)
    clients[i].thread = g_thread_new("client", run_client, &clients[i]);
  for (int i = 0; i < 10; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(WireObject) other = host_generate(host, "ec:p256", "other", WIRE_KEY_SIGN, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) objects = host_objects(host, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(host_count(objects, WIRE_OBJECT_KEY), ==, (guint)i + 2);
  }
  for (guint32 i = 0; i < CLIENTS; i++) {
    g_thread_join(clients[i].thread);
    wire_channel_clear(&clients[i].channel);
  }
  host_listen(host, 400);
  g_assert_cmpuint(host->used, ==, CLIENTS * ROUNDS);
}

static void
test_beyond_the_limit_is_no_channel(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = host_with_key(&object);
  g_autoptr(GError) error = NULL;
  int fds[WIRE_CHANNELS_MAX];

  for (guint32 i = 0; i < WIRE_CHANNELS_MAX; i++) {
    fds[i] = host_open_channel(host, object->key, SIGN_ONLY, i, &error);
    g_assert_no_error(error);
  }
  g_assert_cmpint(host_open_channel(host, object->key, SIGN_ONLY, 999, &error), ==, -1);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_CHANNEL);
  for (guint32 i = 0; i < WIRE_CHANNELS_MAX; i++)
    close(fds[i]);
  host_listen(host, 500);
  g_clear_error(&error);
  fds[0] = host_open_channel(host, object->key, SIGN_ONLY, 1, &error);
  g_assert_no_error(error);
  close(fds[0]);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/channel/signs-many-and-reports", test_signs_many_and_reports);
  g_test_add_func("/token/channel/verb-outside-mask-denied", test_verb_outside_mask_is_denied);
  g_test_add_func("/token/channel/bad-parameters-stay-open", test_bad_parameters_leave_it_open);
  g_test_add_func("/token/channel/garbage-one-error-then-end",
                  test_garbage_gets_one_error_and_the_end);
  g_test_add_func("/token/channel/half-and-joined-frames-work", test_half_and_joined_frames_work);
  g_test_add_func("/token/channel/lock-closes", test_lock_closes_it);
  g_test_add_func("/token/channel/shutdown-ends", test_shutdown_by_the_broker_ends_it);
  g_test_add_func("/token/channel/many-at-once-works", test_many_at_once_while_objects_change);
  g_test_add_func("/token/channel/beyond-limit-no-channel", test_beyond_the_limit_is_no_channel);
  return g_test_run();
}
