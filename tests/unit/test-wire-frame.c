/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "wire/frame.h"
#include "wire/limits.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  WireChannel left;
  WireChannel right;
} Pair;

static void
pair_start(Pair *pair)
{
  int ends[2];
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  wire_channel_start(&pair->left, ends[0]);
  wire_channel_start(&pair->right, ends[1]);
}

static void
pair_clear(Pair *pair)
{
  wire_channel_clear(&pair->left);
  wire_channel_clear(&pair->right);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

static guint
open_descriptors(void)
{
  guint n = 0;
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
  while (g_dir_read_name(dir))
    n++;
  return n;
}

static void
send_text(WireChannel *channel, guint32 serial, const char *text, int fd)
{
  g_autoptr(GError) error = NULL;
  const WireHeader header = { (guint32)strlen(text), serial, WIRE_OK, 0 };
  wire_channel_send_fd(channel, &header, text, fd, base_deadline_in(5000), &error);
  g_assert_no_error(error);
}

static void
expect_text(WireChannel *channel, guint32 serial, const char *text)
{
  g_assert_cmpuint(channel->header.serial, ==, serial);
  g_assert_cmpuint(channel->header.length, ==, strlen(text));
  g_assert_cmpint(memcmp(channel->bytes, text, strlen(text)), ==, 0);
}

static void
receive_text(WireChannel *channel, guint32 serial, const char *text)
{
  g_autoptr(GError) error = NULL;
  wire_channel_receive(channel, NULL, base_deadline_in(5000), &error);
  g_assert_no_error(error);
  expect_text(channel, serial, text);
}

static void
fails_with(WireChannel *channel, BaseDeadline deadline, int code)
{
  g_autoptr(GError) error = NULL;
  g_assert_false(wire_channel_receive(channel, NULL, deadline, &error));
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_false(wire_channel_receive(channel, NULL, deadline, NULL));
}

static int
file_of_size(off_t size)
{
  char name[] = "/tmp/signet-frame-XXXXXX";
  int fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
  g_assert_cmpint(fd, >=, 0);
  unlink(name);
  g_assert_cmpint(ftruncate(fd, size), ==, 0);
  return fd;
}

static void
expect_file(int fd, off_t size)
{
  struct stat info;
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(fstat(fd, &info), ==, 0);
  g_assert_cmpint(info.st_size, ==, size);
  g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  close(fd);
}

/* ---- headers ---- */

static void
header_round_trips(void)
{
  const WireHeader header = { 0x3ffff, 0xdeadbeef, 0x8001, 30000 };
  guint8 bytes[WIRE_HEADER_SIZE];
  WireHeader back = { 0 };
  wire_header_pack(&header, bytes);
  g_assert_cmpint(memcmp(bytes, "\xff\xff\x03\0\xef\xbe\xad\xde\x01\x80\0\0\x30\x75\0\0", 16), ==,
                  0);
  g_assert_true(wire_header_unpack(bytes, &back, NULL));
  g_assert_cmpuint(back.length, ==, header.length);
  g_assert_cmpuint(back.serial, ==, header.serial);
  g_assert_cmpuint(back.kind, ==, header.kind);
  g_assert_cmpuint(back.deadline, ==, header.deadline);
}

static void
bad_header_is_refused(void)
{
  guint8 bytes[WIRE_HEADER_SIZE] = { 0 };
  g_autoptr(GError) error = NULL;
  WireHeader back = { 1, 2, 3, 4 };
  bytes[10] = 1;
  g_assert_false(wire_header_unpack(bytes, &back, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  bytes[10] = 0;
  wire_header_pack(&(WireHeader){ WIRE_FRAME_MAX, 0, 0, 0 }, bytes);
  g_assert_true(wire_header_unpack(bytes, &back, NULL));
  wire_header_pack(&(WireHeader){ WIRE_FRAME_MAX + 1, 0, 0, 0 }, bytes);
  g_assert_false(wire_header_unpack(bytes, &back, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_assert_cmpuint(back.length, ==, WIRE_FRAME_MAX);
}

/* ---- frames ---- */

static void
frames_come_in_order(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  for (guint32 i = 1; i <= 150; i++) { /* many are read at once, some across reads */
    g_autofree char *text = g_strnfill(i % 97, 'x');
    send_text(&pair.left, i, text, -1);
  }
  for (guint32 i = 1; i <= 150; i++) {
    g_autofree char *text = g_strnfill(i % 97, 'x');
    receive_text(&pair.right, i, text);
  }
  g_assert_false(wire_channel_pending(&pair.right));
}

static void
pending_tells_what_poll_cannot(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  g_assert_false(wire_channel_pending(&pair.right));
  send_text(&pair.left, 1, "one", -1);
  send_text(&pair.left, 2, "", -1);
  send_text(&pair.left, 3, "three", -1);
  receive_text(&pair.right, 1, "one");
  g_assert_true(wire_channel_pending(&pair.right));
  receive_text(&pair.right, 2, "");
  g_assert_true(wire_channel_pending(&pair.right));
  receive_text(&pair.right, 3, "three");
  g_assert_false(wire_channel_pending(&pair.right));
}

typedef struct {
  WireChannel *channel;
  gconstpointer body;
  guint32 length;
} Job;

static gpointer
send_job(gpointer data)
{
  const Job *job = data;
  const WireHeader header = { job->length, 1, WIRE_OK, 0 };
  g_assert_true(wire_channel_send(job->channel, &header, job->body, base_deadline_in(20000), NULL));
  return NULL;
}

/* Larger than the socket's buffer: sent and received in parts. */
static void
largest_frame_passes(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  int small = 4096;
  setsockopt(pair.left.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  g_autofree guint8 *body = g_malloc(WIRE_FRAME_MAX);
  for (gsize i = 0; i < WIRE_FRAME_MAX; i++)
    body[i] = (guint8)(i * 7 + i / 256);
  Job job = { &pair.left, body, WIRE_FRAME_MAX };
  GThread *sender = g_thread_new("sender", send_job, &job);
  g_assert_true(wire_channel_receive(&pair.right, NULL, base_deadline_in(20000), NULL));
  g_thread_join(sender);
  g_assert_cmpuint(pair.right.header.length, ==, WIRE_FRAME_MAX);
  g_assert_cmpint(memcmp(pair.right.bytes, body, WIRE_FRAME_MAX), ==, 0);
  send_text(&pair.left, 2, "small again", -1);
  receive_text(&pair.right, 2, "small again");
}

static void
too_large_frame_is_not_sent(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  g_autoptr(GError) error = NULL;
  g_autofree guint8 *body = g_malloc0(WIRE_FRAME_MAX + 1);
  const WireHeader header = { WIRE_FRAME_MAX + 1, 1, WIRE_OK, 0 };
  g_assert_false(wire_channel_send(&pair.left, &header, body, BASE_DEADLINE_NEVER, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  send_text(&pair.left, 2, "still fine", -1);
  receive_text(&pair.right, 2, "still fine");
}

/* Byte by byte, with a timeout between: nothing is lost. */
static void
receiving_goes_on_after_a_timeout(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  guint8 frame[WIRE_HEADER_SIZE + 5];
  wire_header_pack(&(WireHeader){ 5, 77, WIRE_OK, 0 }, frame);
  memcpy(frame + WIRE_HEADER_SIZE, "hello", 5);
  for (gsize i = 0; i < sizeof frame; i++) {
    fails_with(&pair.right, base_deadline_in(i % 8 == 0 ? 1 : 0), SIGNET_ERROR_TIMEOUT);
    g_assert_cmpint(write(pair.left.fd, frame + i, 1), ==, 1);
  }
  receive_text(&pair.right, 77, "hello");
}

static void
half_sent_frame_ends_the_channel(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  g_autoptr(GError) error = NULL;
  g_autofree guint8 *body = g_malloc0(WIRE_FRAME_MAX);
  const WireHeader header = { WIRE_FRAME_MAX, 1, WIRE_OK, 0 };
  int small = 4096;
  setsockopt(pair.left.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  g_assert_false(wire_channel_send(&pair.left, &header, body, base_deadline_in(20), &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TIMEOUT);
  g_clear_error(&error);
  const WireHeader next = { 0, 2, WIRE_OK, 0 };
  g_assert_false(wire_channel_send(&pair.left, &next, NULL, base_deadline_in(20), &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  fails_with(&pair.right, base_deadline_in(5000), SIGNET_ERROR_BAD_INPUT);
}

static void
closed_channel_is_told_from_a_cut_frame(void)
{
  static const struct {
    gsize length;
    int code;
  } cases[] = {
    { 0, SIGNET_ERROR_TOKEN_GONE },
    { 1, SIGNET_ERROR_BAD_INPUT },
    { WIRE_HEADER_SIZE, SIGNET_ERROR_BAD_INPUT },
    { WIRE_HEADER_SIZE + 4, SIGNET_ERROR_BAD_INPUT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Pair) pair;
    pair_start(&pair);
    guint8 frame[WIRE_HEADER_SIZE + 5] = { 0 };
    wire_header_pack(&(WireHeader){ 5, 1, WIRE_OK, 0 }, frame);
    g_assert_cmpint(write(pair.left.fd, frame, cases[i].length), ==, (gssize)cases[i].length);
    wire_channel_clear(&pair.left);
    wire_channel_clear(&pair.left); /* twice is fine */
    fails_with(&pair.right, BASE_DEADLINE_NEVER, cases[i].code);
    g_autoptr(GError) error = NULL;
    const WireHeader header = { 0, 1, WIRE_OK, 0 };
    g_assert_false(wire_channel_send(&pair.right, &header, NULL, BASE_DEADLINE_NEVER, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  }
}

static void
malformed_header_stays_malformed(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  g_autofree char *junk = g_strnfill(100, '\xff');
  g_assert_cmpint(write(pair.left.fd, junk, 100), ==, 100);
  fails_with(&pair.right, base_deadline_in(5000), SIGNET_ERROR_BAD_INPUT);
  g_assert_true(wire_channel_pending(&pair.right));
  g_assert_cmpuint(pair.right.header.length, ==, 0);
}

static void
secret_body_is_wiped(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  send_text(&pair.left, 1, "PIN 123456", -1);
  receive_text(&pair.right, 1, "PIN 123456");
  for (gsize i = 0; i < pair.right.ahead.length; i++)
    g_assert_cmpint(pair.right.ahead.bytes[i], !=, 'P');
  send_text(&pair.left, 2, "", -1);
  receive_text(&pair.right, 2, "");
  for (gsize i = 0; i < 10; i++)
    g_assert_cmpint(pair.right.bytes[i], ==, 0);
}

/* ---- descriptors ---- */

/* Which of five frames carry one; they are read together or one by one. */
static void
descriptor_stays_with_its_frame(void)
{
  guint before = open_descriptors();
  for (guint mask = 0; mask < 32; mask++)
    for (int together = 0; together < 2; together++) {
      g_auto(Pair) pair;
      pair_start(&pair);
      for (guint i = 0; i < 5; i++) {
        int file = mask & 1u << i ? file_of_size((off_t)i + 1) : -1;
        send_text(&pair.left, i, "body", file);
        if (file >= 0)
          close(file);
        if (together)
          continue;
        int fd = -2;
        g_assert_true(wire_channel_receive(&pair.right, &fd, base_deadline_in(5000), NULL));
        if (mask & 1u << i)
          expect_file(fd, (off_t)i + 1);
        else
          g_assert_cmpint(fd, ==, -1);
      }
      for (guint i = 0; together && i < 5; i++) {
        int fd = -2;
        g_assert_true(wire_channel_receive(&pair.right, &fd, base_deadline_in(5000), NULL));
        expect_text(&pair.right, i, "body");
        if (mask & 1u << i)
          expect_file(fd, (off_t)i + 1);
        else
          g_assert_cmpint(fd, ==, -1);
      }
    }
  g_assert_cmpuint(open_descriptors(), ==, before);
}

static void
descriptor_of_a_large_frame_stays_with_it(void)
{
  g_auto(Pair) pair;
  pair_start(&pair);
  g_autofree char *large = g_strnfill(50000, 'x');
  int file = file_of_size(9);
  int fd = -2;
  send_text(&pair.left, 1, "first", -1);
  send_text(&pair.left, 2, large, file);
  send_text(&pair.left, 3, "last", -1);
  close(file);
  g_assert_true(wire_channel_receive(&pair.right, &fd, base_deadline_in(5000), NULL));
  g_assert_cmpint(fd, ==, -1);
  g_assert_true(wire_channel_receive(&pair.right, &fd, base_deadline_in(5000), NULL));
  expect_text(&pair.right, 2, large);
  expect_file(fd, 9);
  g_assert_true(wire_channel_receive(&pair.right, &fd, base_deadline_in(5000), NULL));
  g_assert_cmpint(fd, ==, -1);
}

static void
unwanted_descriptors_are_closed(void)
{
  guint before = open_descriptors();
  {
    g_auto(Pair) pair;
    pair_start(&pair);
    guint in_use = open_descriptors();
    int file = file_of_size(1);
    send_text(&pair.left, 1, "a", file);
    receive_text(&pair.right, 1, "a"); /* nobody asked for it */
    close(file);
    g_assert_cmpuint(open_descriptors(), ==, in_use);

    /* Several at once: the first is kept. */
    int files[3] = { file_of_size(1), file_of_size(2), file_of_size(3) };
    guint8 frame[WIRE_HEADER_SIZE];
    wire_header_pack(&(WireHeader){ 0, 2, WIRE_OK, 0 }, frame);
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(sizeof files)];
    } control = { .bytes = { 0 } };
    struct iovec part = { frame, sizeof frame };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
    CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
    CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof files);
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), files, sizeof files);
    g_assert_cmpint(sendmsg(pair.left.fd, &message, 0), ==, WIRE_HEADER_SIZE);
    for (gsize i = 0; i < 3; i++)
      close(files[i]);
    int fd = -1;
    g_assert_true(wire_channel_receive(&pair.right, &fd, base_deadline_in(5000), NULL));
    expect_file(fd, 1);
    g_assert_cmpuint(open_descriptors(), ==, in_use);

    /* One that came with a frame that never ends goes with the channel. */
    file = file_of_size(1);
    wire_header_pack(&(WireHeader){ 10, 3, WIRE_OK, 0 }, frame);
    CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &file, sizeof file);
    message.msg_controllen = CMSG_SPACE(sizeof file);
    g_assert_cmpint(sendmsg(pair.left.fd, &message, 0), ==, WIRE_HEADER_SIZE);
    close(file);
    fails_with(&pair.right, base_deadline_in(1), SIGNET_ERROR_TIMEOUT);
  }
  g_assert_cmpuint(open_descriptors(), ==, before);
}

/* ---- errors ---- */

static void
error_round_trips(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GError) back = NULL;
  base_error_set(&error, SIGNET_ERROR_PIN_INCORRECT, "wrong PIN for \xc3\xbc\xff");
  base_error_count_tries(&error, 2);
  g_autoptr(GBytes) body = wire_error_pack(error);
  wire_error_unpack(g_bytes_get_data(body, NULL), g_bytes_get_size(body), &back);
  g_assert_error(back, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_assert_cmpstr(back->message, ==, "wrong PIN for \xc3\xbc\xef\xbf\xbd");
  g_assert_cmpint(signet_error_get_details(back)->tries_left, ==, 2);
  wire_error_unpack(g_bytes_get_data(body, NULL), g_bytes_get_size(body), NULL);
}

static void
foreign_and_long_errors_are_carried(void)
{
  g_autofree char *text = g_strnfill(10000, '\xff');
  g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, 24, text);
  g_autoptr(GError) back = NULL;
  g_autoptr(GBytes) body = wire_error_pack(error);
  wire_error_unpack(g_bytes_get_data(body, NULL), g_bytes_get_size(body), &back);
  g_assert_error(back, SIGNET_ERROR, SIGNET_ERROR_FAILED);
  g_assert_cmpint(signet_error_get_details(back)->tries_left, ==, -1);
}

static void
malformed_error_is_still_an_error(void)
{
  g_autoptr(GError) error = NULL;
  wire_error_unpack("\x01", 1, &error);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  wire_error_unpack(NULL, 0, &error);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  wire_error_unpack("\xff\xff\xff\xff\xfe\xff\xff\xff\x01\0\0\0x", 13, &error);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_FAILED);
  g_assert_cmpint(signet_error_get_details(error)->tries_left, ==, 255);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/wire/frame/header-round-trips", header_round_trips);
  g_test_add_func("/wire/frame/bad-header-is-refused", bad_header_is_refused);
  g_test_add_func("/wire/frame/frames-come-in-order", frames_come_in_order);
  g_test_add_func("/wire/frame/pending-tells-what-poll-cannot", pending_tells_what_poll_cannot);
  g_test_add_func("/wire/frame/largest-frame-passes", largest_frame_passes);
  g_test_add_func("/wire/frame/too-large-frame-is-not-sent", too_large_frame_is_not_sent);
  g_test_add_func("/wire/frame/receiving-goes-on-after-a-timeout",
                  receiving_goes_on_after_a_timeout);
  g_test_add_func("/wire/frame/half-sent-frame-ends-the-channel", half_sent_frame_ends_the_channel);
  g_test_add_func("/wire/frame/closed-channel-is-told-from-a-cut-frame",
                  closed_channel_is_told_from_a_cut_frame);
  g_test_add_func("/wire/frame/malformed-header-stays-malformed", malformed_header_stays_malformed);
  g_test_add_func("/wire/frame/secret-body-is-wiped", secret_body_is_wiped);
  g_test_add_func("/wire/frame/descriptor-stays-with-its-frame", descriptor_stays_with_its_frame);
  g_test_add_func("/wire/frame/descriptor-of-a-large-frame-stays-with-it",
                  descriptor_of_a_large_frame_stays_with_it);
  g_test_add_func("/wire/frame/unwanted-descriptors-are-closed", unwanted_descriptors_are_closed);
  g_test_add_func("/wire/frame/error-round-trips", error_round_trips);
  g_test_add_func("/wire/frame/foreign-and-long-errors-are-carried",
                  foreign_and_long_errors_are_carried);
  g_test_add_func("/wire/frame/malformed-error-is-still-an-error",
                  malformed_error_is_still_an_error);
  return g_test_run();
}
