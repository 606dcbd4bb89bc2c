/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/draft.h"
#include "base/error.h"
#include "base/flow.h"
#include "base/path.h"
#include "base/secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

#define KEY_LENGTH 32
#define BLOCK 16
#define FIRST_MEMORY 4096

/* AES-256-CTR: a key stream is never used twice, as every spool has its own key and is written
 * once, from its start to its end; any place of it can be read by starting at its block's counter.
 * There is no tag: only who can write into this process's open files could alter them. */
struct BaseSpool {
  BaseSink sink;
  gboolean secret;
  goffset length;
  guint8 *memory; /* all of it, while there is no file */
  gsize memory_size;
  int fd;               /* -1: none */
  char *name;           /* of the file, for messages */
  BaseSecret *key;      /* and the first counter behind it */
  EVP_CIPHER_CTX *seal; /* NULL where nothing is encrypted */
  guint8 *piece;        /* BASE_FLOW_PIECE bytes: as they stand in the file */
  gsize held;           /* bytes of it that are not written yet */
};

static void
drop(guint8 **bytes, gsize size)
{
  base_wipe(*bytes, size);
  g_clear_pointer(bytes, g_free);
}

/* ---- ciphering ---- */

/* The counter of the block at `from`: a number of 128 bits, big-endian (NIST SP 800-38A B.1). */
static void
counter_at(const guint8 first[BLOCK], goffset from, guint8 counter[BLOCK])
{
  guint64 carry = (guint64)from / BLOCK;
  for (int i = BLOCK - 1; i >= 0; i--) {
    guint64 low = (carry & 0xff) + first[i];
    counter[i] = (guint8)low;
    carry = (carry >> 8) + (low >> 8);
  }
}

/* A key stream that begins at byte `from`. */
static EVP_CIPHER_CTX *
cipher_at(BaseSpool *spool, goffset from, GError **error)
{
  guint8 counter[BLOCK];
  guint8 passed[BLOCK] = { 0 };
  int n = 0;
  const guint8 *key = base_secret_bytes(spool->key);
  counter_at(key + KEY_LENGTH, from, counter);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  gboolean made = cipher &&
                  EVP_EncryptInit_ex(cipher, EVP_aes_256_ctr(), NULL, key, counter) == 1 &&
                  EVP_EncryptUpdate(cipher, passed, &n, passed, (int)(from % BLOCK)) == 1;
  base_wipe(passed, sizeof passed); /* is key stream */
  if (made)
    return cipher;
  EVP_CIPHER_CTX_free(cipher);
  base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot encrypt a temporary file");
  return NULL;
}

/* At most BASE_FLOW_PIECE bytes. */
static gboolean
apply(EVP_CIPHER_CTX *cipher, guint8 *to, const guint8 *from, gsize length, GError **error)
{
  int n = 0;
  if (EVP_EncryptUpdate(cipher, to, &n, from, (int)length) != 1 || n != (int)length)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot encrypt a temporary file");
  return TRUE;
}

static gboolean
make_key(BaseSpool *spool, GError **error)
{
  spool->key = base_secret_new(KEY_LENGTH + BLOCK);
  if (RAND_priv_bytes(base_secret_bytes(spool->key), KEY_LENGTH + BLOCK) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make a random key");
  spool->seal = cipher_at(spool, 0, error);
  return spool->seal != NULL;
}

/* ---- writing ---- */

static gboolean
flush_piece(BaseSpool *spool, GError **error)
{
  gsize length = spool->held;
  spool->held = 0;
  return base_path_write_fd(spool->fd, spool->name, spool->piece, length, error);
}

static gboolean
write_file(BaseSpool *spool, const guint8 *bytes, gsize length, GError **error)
{
  while (length) {
    gsize now = MIN(length, BASE_FLOW_PIECE - spool->held);
    guint8 *to = spool->piece + spool->held;
    if (!spool->seal)
      memcpy(to, bytes, now);
    else if (!apply(spool->seal, to, bytes, now, error))
      return FALSE;
    spool->held += now;
    bytes += now;
    length -= now;
    if (spool->held == BASE_FLOW_PIECE && !flush_piece(spool, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
move_to_file(BaseSpool *spool, GError **error)
{
  if (spool->secret && !make_key(spool, error))
    return FALSE;
  spool->fd = base_draft_nameless(&spool->name, error);
  if (spool->fd < 0)
    return FALSE;
  spool->piece = g_malloc(BASE_FLOW_PIECE);
  gboolean moved = write_file(spool, spool->memory, (gsize)spool->length, error);
  drop(&spool->memory, (gsize)spool->length);
  return moved;
}

/* Not g_realloc(), which leaves what it moved behind. */
static void
write_memory(BaseSpool *spool, const guint8 *bytes, gsize length)
{
  gsize have = (gsize)spool->length;
  if (have + length > spool->memory_size) {
    gsize size = MAX(have + length, MAX(FIRST_MEMORY, 2 * spool->memory_size));
    guint8 *larger = g_malloc(size);
    if (have)
      memcpy(larger, spool->memory, have);
    drop(&spool->memory, have);
    spool->memory = larger;
    spool->memory_size = size;
  }
  memcpy(spool->memory + have, bytes, length);
}

static gboolean
spool_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  BaseSpool *spool = (BaseSpool *)sink;
  if (length > (gsize)(G_MAXOFFSET - spool->length))
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "larger than a file can be");
  gboolean fits = spool->fd < 0 && length <= BASE_SPOOL_MEMORY - (gsize)spool->length;
  if (fits)
    write_memory(spool, bytes, length);
  else if ((spool->fd < 0 && !move_to_file(spool, error)) ||
           !write_file(spool, bytes, length, error))
    return FALSE;
  spool->length += (goffset)length;
  return TRUE;
}

static gboolean
spool_finish(BaseSink *sink, GError **error)
{
  BaseSpool *spool = (BaseSpool *)sink;
  return spool->fd < 0 || flush_piece(spool, error);
}

/* ---- reading ---- */

/* Like pread(2), of all of it. */
static gboolean
read_at(BaseSpool *spool, goffset from, guint8 *to, gsize length, GError **error)
{
  while (length) {
    ssize_t got = pread(spool->fd, to, length, from);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return base_error_set_errno(error, errno, "cannot read %s", spool->name);
    if (got == 0)
      return base_error_set(error, SIGNET_ERROR_IO, "%s was cut off", spool->name);
    to += got;
    from += got;
    length -= (gsize)got;
  }
  return TRUE;
}

static gboolean
read_file(BaseSpool *spool, goffset from, goffset length, BaseSink *to, GError **error)
{
  EVP_CIPHER_CTX *cipher = spool->secret ? cipher_at(spool, from, error) : NULL;
  if (spool->secret && !cipher)
    return FALSE;
  guint8 *piece = g_malloc(BASE_FLOW_PIECE); /* its own: `to` may read this spool too */
  gboolean read = TRUE;
  while (read && length) {
    gsize now = (gsize)MIN(length, BASE_FLOW_PIECE);
    read = read_at(spool, from, piece, now, error) &&
           (!cipher || apply(cipher, piece, piece, now, error)) &&
           base_sink_write(to, piece, now, error);
    from += (goffset)now;
    length -= (goffset)now;
  }
  drop(&piece, BASE_FLOW_PIECE);
  EVP_CIPHER_CTX_free(cipher);
  return read;
}

gboolean
base_spool_read(BaseSpool *spool, goffset from, goffset length, BaseSink *to, GError **error)
{
  if (!spool->sink.finished || spool->sink.failed)
    return base_error_set(error, SIGNET_ERROR_FAILED, "what was to be kept is not whole");
  if (from < 0 || length < 0 || from > spool->length || length > spool->length - from)
    return base_error_set(error, SIGNET_ERROR_FAILED, "more was asked for than was kept");
  if (spool->fd >= 0)
    return read_file(spool, from, length, to, error);
  for (goffset at = from; at < from + length; at += BASE_FLOW_PIECE) {
    gsize now = (gsize)MIN(from + length - at, BASE_FLOW_PIECE);
    if (!base_sink_write(to, spool->memory + at, now, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- making ---- */

BaseSpool *
base_spool_new(gboolean secret, GError **error)
{
  static const BaseSinkClass klass = { spool_write, spool_finish, NULL };
  (void)error;
  BaseSpool *spool = g_new0(BaseSpool, 1);
  spool->sink.klass = &klass;
  spool->secret = secret;
  spool->fd = -1;
  return spool;
}

BaseSink *
base_spool_sink(BaseSpool *spool)
{
  return &spool->sink;
}

goffset
base_spool_length(const BaseSpool *spool)
{
  return spool->length;
}

void
base_spool_free(BaseSpool *spool)
{
  if (!spool)
    return;
  drop(&spool->memory, spool->fd < 0 ? (gsize)spool->length : 0);
  drop(&spool->piece, spool->piece ? BASE_FLOW_PIECE : 0);
  if (spool->fd >= 0)
    close(spool->fd);
  EVP_CIPHER_CTX_free(spool->seal);
  base_secret_free(spool->key);
  g_free(spool->name);
  g_free(spool);
}
