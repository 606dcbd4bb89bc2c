/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/secret.h"

#include "base/error.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECURE_HEAP_SIZE (256 * 1024)
#define SECURE_HEAP_SMALLEST 32
#define SECRET_MAX (64 * 1024)
#define SECRET_LINE_MAX 1024

struct BaseSecret {
  gsize length;
  gsize size; /* as allocated; length can shrink */
  guint8 bytes[];
};

void
base_secret_start(void)
{
  const struct rlimit none = { 0, 0 };
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
  CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_SMALLEST);
}

BaseSecret *
base_secret_new(gsize length)
{
  if (length > SECRET_MAX)
    return NULL;
  gsize size = sizeof(BaseSecret) + length + 1;
  BaseSecret *secret = OPENSSL_secure_zalloc(size);
  if (!secret) /* the secure heap is full: an ordinary block is still wiped on free */
    secret = OPENSSL_zalloc(size);
  if (!secret)
    g_error("out of memory");
  secret->length = length;
  secret->size = size;
  return secret;
}

BaseSecret *
base_secret_new_from(gconstpointer bytes, gsize length)
{
  BaseSecret *secret = base_secret_new(length);
  if (secret && length)
    memcpy(secret->bytes, bytes, length);
  return secret;
}

BaseSecret *
base_secret_copy(const BaseSecret *secret)
{
  return secret ? base_secret_new_from(secret->bytes, secret->length) : NULL;
}

void
base_secret_free(BaseSecret *secret)
{
  if (secret)
    OPENSSL_secure_clear_free(secret, secret->size);
}

guint8 *
base_secret_bytes(BaseSecret *secret)
{
  return secret->bytes;
}

const char *
base_secret_text(const BaseSecret *secret)
{
  return (const char *)secret->bytes;
}

gsize
base_secret_length(const BaseSecret *secret)
{
  return secret->length;
}

void
base_secret_truncate(BaseSecret *secret, gsize length)
{
  if (length >= secret->length)
    return;
  OPENSSL_cleanse(secret->bytes + length, secret->length - length);
  secret->length = length;
}

gboolean
base_secret_equal(const BaseSecret *a, const BaseSecret *b)
{
  return a && b && a->length == b->length && CRYPTO_memcmp(a->bytes, b->bytes, a->length) == 0;
}

void
base_wipe(gpointer bytes, gsize length)
{
  if (bytes)
    OPENSSL_cleanse(bytes, length);
}

void
base_wipe_string(char *string)
{
  if (!string)
    return;
  OPENSSL_cleanse(string, strlen(string));
  g_free(string);
}

static gboolean
wait_for_input(int fd)
{
  struct pollfd ready = { fd, POLLIN, 0 };
  return poll(&ready, 1, -1) > 0 || errno == EINTR;
}

BaseSecret *
base_secret_read_line(int fd, const char *what, GError **error)
{
  g_autoptr(BaseSecret) line = base_secret_new(SECRET_LINE_MAX + 1);
  gsize length = 0;

  for (;;) {
    guint8 *byte = line->bytes + length; /* never on the stack */
    ssize_t got = read(fd, byte, 1);
    if (got < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_input(fd))))
      continue;
    if (got < 0) {
      base_error_set_errno(error, errno, "cannot read %s from descriptor %d", what, fd);
      return NULL;
    }
    if (got == 0 && length == 0) {
      base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "no %s came on descriptor %d", what, fd);
      return NULL;
    }
    if (got == 0 || *byte == '\n')
      break;
    if (*byte == '\0') { /* what follows would be lost where the secret is taken for text */
      base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s on descriptor %d has a NUL byte", what, fd);
      return NULL;
    }
    if (length == SECRET_LINE_MAX) {
      base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s on descriptor %d is longer than %d bytes",
                     what, fd, SECRET_LINE_MAX);
      return NULL;
    }
    length++;
  }
  if (length && line->bytes[length - 1] == '\r')
    length--;
  base_secret_truncate(line, length);
  return base_secret_new_from(line->bytes, length); /* of the right size */
}
