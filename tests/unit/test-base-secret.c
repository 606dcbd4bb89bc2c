/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/secret.h"

#include <signet/error.h>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A pipe that holds `text`, closed for writing. */
static int
pipe_with(const char *text, gsize length)
{
  int ends[2];
  g_assert_cmpint(pipe(ends), ==, 0);
  g_assert_cmpint(write(ends[1], text, length), ==, (gssize)length);
  close(ends[1]);
  return ends[0];
}

static void
start_locks_heap_and_dumps(void)
{
  struct rlimit core = { 1, 1 };
  base_secret_start();
  g_assert_cmpint(getrlimit(RLIMIT_CORE, &core), ==, 0);
  g_assert_cmpuint(core.rlim_cur, ==, 0);
  g_assert_cmpint(prctl(PR_GET_DUMPABLE), ==, 0);
  g_autoptr(BaseSecret) secret = base_secret_new(16);
  g_assert_true(CRYPTO_secure_allocated(secret));
}

static void
length_is_capped(void)
{
  g_assert_null(base_secret_new(64 * 1024 + 1));
  g_assert_null(base_secret_new(G_MAXSIZE));
  g_autoptr(BaseSecret) largest = base_secret_new(64 * 1024);
  g_assert_nonnull(largest);
  g_assert_null(base_secret_copy(NULL));
  base_secret_free(NULL);
}

/* More than the secure heap holds: ordinary memory, and free knows which is which. */
static void
full_heap_falls_back(void)
{
  BaseSecret *many[8];
  for (gsize i = 0; i < G_N_ELEMENTS(many); i++) {
    many[i] = base_secret_new(60 * 1024);
    g_assert_nonnull(many[i]);
    memset(base_secret_bytes(many[i]), (int)i, base_secret_length(many[i]));
  }
  g_assert_false(CRYPTO_secure_allocated(many[7]));
  for (gsize i = 0; i < G_N_ELEMENTS(many); i++)
    base_secret_free(many[i]);
  g_assert_cmpuint(CRYPTO_secure_used(), ==, 0);
}

static void
text_is_always_terminated(void)
{
  g_autoptr(BaseSecret) pin = base_secret_new_from("123456xyz", 9);
  g_assert_cmpstr(base_secret_text(pin), ==, "123456xyz");
  base_secret_truncate(pin, 6);
  g_assert_cmpstr(base_secret_text(pin), ==, "123456");
  g_assert_cmpuint(base_secret_length(pin), ==, 6);
  g_assert_cmpint(memcmp(base_secret_bytes(pin) + 6, "\0\0\0", 3), ==, 0);
  base_secret_truncate(pin, 100);
  g_assert_cmpuint(base_secret_length(pin), ==, 6);
  g_autoptr(BaseSecret) empty = base_secret_new_from(NULL, 0);
  g_assert_cmpstr(base_secret_text(empty), ==, "");
}

static void
equal_compares_bytes_and_length(void)
{
  g_autoptr(BaseSecret) one = base_secret_new_from("abc", 3);
  g_autoptr(BaseSecret) same = base_secret_copy(one);
  g_autoptr(BaseSecret) other = base_secret_new_from("abd", 3);
  g_autoptr(BaseSecret) longer = base_secret_new_from("abcd", 4);
  g_assert_true(base_secret_equal(one, same));
  g_assert_false(base_secret_equal(one, other));
  g_assert_false(base_secret_equal(one, longer));
  g_assert_false(base_secret_equal(one, NULL));
  g_assert_false(base_secret_equal(NULL, NULL));
}

static void
wipe_takes_null(void)
{
  char text[] = "secret";
  base_wipe(text, sizeof text);
  g_assert_cmpint(memcmp(text, "\0\0\0\0\0\0", sizeof text), ==, 0);
  base_wipe(NULL, 5);
  base_wipe_string(NULL);
  base_wipe_string(g_strdup("secret"));
}

static void
two_lines_are_two_secrets(void)
{
  int fd = pipe_with("so pin\r\n1234\nrest", 17);
  g_autoptr(BaseSecret) first = base_secret_read_line(fd, "the SO PIN", NULL);
  g_autoptr(BaseSecret) second = base_secret_read_line(fd, "the PIN", NULL);
  g_autoptr(BaseSecret) last = base_secret_read_line(fd, "the PIN", NULL);
  g_autoptr(GError) error = NULL;
  g_assert_cmpstr(base_secret_text(first), ==, "so pin");
  g_assert_cmpstr(base_secret_text(second), ==, "1234");
  g_assert_cmpstr(base_secret_text(last), ==, "rest");
  g_assert_null(base_secret_read_line(fd, "the PIN", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  close(fd);
}

static void
empty_line_is_an_empty_secret(void)
{
  int fd = pipe_with("\n", 1);
  g_autoptr(BaseSecret) line = base_secret_read_line(fd, "the PIN", NULL);
  g_assert_cmpuint(base_secret_length(line), ==, 0);
  close(fd);
}

static void
longest_line_fits_and_longer_is_refused(void)
{
  g_autofree char *text = g_strnfill(1025, 'x');
  g_autoptr(GError) error = NULL;
  int fd = pipe_with(text, 1024);
  g_autoptr(BaseSecret) line = base_secret_read_line(fd, "the PIN", NULL);
  g_assert_cmpuint(base_secret_length(line), ==, 1024);
  close(fd);
  fd = pipe_with(text, 1025);
  g_assert_null(base_secret_read_line(fd, "the PIN", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  close(fd);
}

static void
bad_bytes_and_descriptors_are_refused(void)
{
  g_autoptr(GError) error = NULL;
  int fd = pipe_with("12\0"
                     "34\n",
                     6);
  g_assert_null(base_secret_read_line(fd, "the PIN", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  close(fd);
  g_assert_null(base_secret_read_line(fd, "the PIN", &error)); /* closed */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, "the PIN"));
}

static gpointer
write_late(gpointer data)
{
  int fd = GPOINTER_TO_INT(data);
  g_usleep(50000);
  g_assert_cmpint(write(fd, "99\n", 3), ==, 3);
  close(fd);
  return NULL;
}

static void
nonblocking_descriptor_is_waited_for(void)
{
  int ends[2];
  g_assert_cmpint(pipe2(ends, O_NONBLOCK), ==, 0);
  GThread *writer = g_thread_new("writer", write_late, GINT_TO_POINTER(ends[1]));
  g_autoptr(BaseSecret) line = base_secret_read_line(ends[0], "the PIN", NULL);
  g_thread_join(writer);
  g_assert_cmpstr(base_secret_text(line), ==, "99");
  close(ends[0]);
}

static gpointer
make_and_drop(gpointer data)
{
  for (guint i = 0; i < 20000; i++) {
    g_autoptr(BaseSecret) secret = base_secret_new(1 + i % 200);
    memset(base_secret_bytes(secret), GPOINTER_TO_INT(data), base_secret_length(secret));
    g_autoptr(BaseSecret) copy = base_secret_copy(secret);
    g_assert_true(base_secret_equal(secret, copy));
  }
  return NULL;
}

static void
threads_share_the_heap(void)
{
  GThread *threads[4];
  for (int i = 0; i < 4; i++)
    threads[i] = g_thread_new("secrets", make_and_drop, GINT_TO_POINTER(i + 1));
  for (int i = 0; i < 4; i++)
    g_thread_join(threads[i]);
  g_assert_cmpuint(CRYPTO_secure_used(), ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/base/secret/start-locks-heap-and-dumps", start_locks_heap_and_dumps);
  g_test_add_func("/base/secret/length-is-capped", length_is_capped);
  g_test_add_func("/base/secret/full-heap-falls-back", full_heap_falls_back);
  g_test_add_func("/base/secret/text-is-always-terminated", text_is_always_terminated);
  g_test_add_func("/base/secret/equal-compares-bytes-and-length", equal_compares_bytes_and_length);
  g_test_add_func("/base/secret/wipe-takes-null", wipe_takes_null);
  g_test_add_func("/base/secret/two-lines-are-two-secrets", two_lines_are_two_secrets);
  g_test_add_func("/base/secret/empty-line-is-an-empty-secret", empty_line_is_an_empty_secret);
  g_test_add_func("/base/secret/longest-line-fits-and-longer-is-refused",
                  longest_line_fits_and_longer_is_refused);
  g_test_add_func("/base/secret/bad-bytes-and-descriptors-are-refused",
                  bad_bytes_and_descriptors_are_refused);
  g_test_add_func("/base/secret/nonblocking-descriptor-is-waited-for",
                  nonblocking_descriptor_is_waited_for);
  g_test_add_func("/base/secret/threads-share-the-heap", threads_share_the_heap);
  return g_test_run();
}
