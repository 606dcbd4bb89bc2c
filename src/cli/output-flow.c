/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The output of a message verb. Three ways to standard output, for what is not known to be good
 * until the end: through a spool; straight into a file that is cut back if the verb
 * fails; straight, where nothing but the output itself can fail any more. A file is cut back then, too. */

#define NAME "standard output"

typedef struct {
  BaseSink sink;
  BaseSpool *spool; /* NULL: written as it comes */
  BaseSink *direct;
  goffset before; /* where the file ended; -1: no file, or not to be cut back */
} Output;

static gboolean
output_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Output *output = (Output *)sink;
  return base_sink_write(output->spool ? base_spool_sink(output->spool) : output->direct, bytes,
                         length, error);
}

static gboolean
output_finish(BaseSink *sink, GError **error)
{
  Output *output = (Output *)sink;
  if (output->spool &&
      (!base_sink_finish(base_spool_sink(output->spool), error) ||
       !base_spool_read(output->spool, 0, base_spool_length(output->spool), output->direct, error)))
    return FALSE;
  return base_sink_finish(output->direct, error);
}

/* What cannot be taken back stays; the exit status says that it is not whole. */
static void
cut_back(goffset before)
{
  if (ftruncate(STDOUT_FILENO, before) != 0 || lseek(STDOUT_FILENO, before, SEEK_SET) < 0)
    errno = 0;
}

static void
output_free(BaseSink *sink)
{
  Output *output = (Output *)sink;
  gboolean whole = output->sink.finished && !output->sink.failed;
  base_spool_free(output->spool);
  base_sink_free(output->direct);
  if (!whole && output->before >= 0)
    cut_back(output->before);
  g_free(output);
}

/* The end of the file that standard output is, -1 where it must not be cut back: with O_APPEND
 * others may write to it meanwhile. */
static goffset
end_of_file(void)
{
  struct stat info;
  int flags = fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_APPEND) || fstat(STDOUT_FILENO, &info) != 0 || !S_ISREG(info.st_mode))
    return -1;
  goffset at = lseek(STDOUT_FILENO, 0, SEEK_CUR);
  return at == info.st_size ? at : -1;
}

static Output *
standard_output(gboolean binary, GError **error)
{
  static const BaseSinkClass klass = { output_write, output_finish, output_free };
  if (binary && isatty(STDOUT_FILENO)) {
    base_error_set(error, SIGNET_ERROR_USAGE,
                   "this is binary, which a terminal cannot show; name a file with -o");
    return NULL;
  }
  if (fflush(stdout) != 0) {
    base_error_set_errno(error, errno, "cannot write to " NAME);
    return NULL;
  }
  Output *output = g_new0(Output, 1);
  output->sink.klass = &klass;
  output->before = end_of_file();
  output->direct = base_sink_to_fd(STDOUT_FILENO, NAME);
  return output;
}

static const char *
output_file(const Cli *cli)
{
  const char *path = cli_text(cli, "output");
  return path && strcmp(path, "-") != 0 ? path : NULL;
}

/* A device or a pipe cannot take its place at the end: it is written then. */
static BaseSink *
file_output(const char *path, gboolean secret, GError **error)
{
  static const BaseSinkClass klass = { output_write, output_finish, output_free };
  struct stat info;
  g_autoptr(BaseSink) file = base_sink_to_file(path, error);
  if (!file || stat(path, &info) != 0 || S_ISREG(info.st_mode))
    return g_steal_pointer(&file);
  Output *output = g_new0(Output, 1);
  output->sink.klass = &klass;
  output->before = -1;
  output->direct = g_steal_pointer(&file);
  output->spool = base_spool_new(secret, NULL);
  return &output->sink;
}

BaseSink *
cli_output_new(Cli *cli, gboolean binary, gboolean secret, GError **error)
{
  if (output_file(cli))
    return file_output(output_file(cli), secret, error);
  Output *output = standard_output(binary, error);
  if (!output)
    return NULL;
  gboolean spooled = secret || output->before < 0;
  if (spooled)
    output->spool = base_spool_new(TRUE, error);
  if (spooled && !output->spool) {
    output_free(&output->sink);
    return NULL;
  }
  return &output->sink;
}

BaseSink *
cli_output_direct(Cli *cli, gboolean binary, GError **error)
{
  if (output_file(cli))
    return base_sink_to_file(output_file(cli), error);
  Output *output = standard_output(binary, error);
  return output ? &output->sink : NULL;
}

/* ---- PEM ---- */

#define PEM_LINE 64
#define PEM_LABEL "CMS" /* RFC 7468 9 */

typedef struct {
  BaseSink sink;
  BaseSink *next;
  gboolean begun;
} Armor;

static gboolean
put_text(BaseSink *to, const char *text, GError **error)
{
  return base_sink_write(to, text, strlen(text), error);
}

static gboolean
armor_begin(Armor *armor, GError **error)
{
  if (armor->begun)
    return TRUE;
  armor->begun = TRUE;
  return put_text(armor->next, "-----BEGIN " PEM_LABEL "-----\n", error);
}

static gboolean
armor_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Armor *armor = (Armor *)sink;
  return armor_begin(armor, error) && base_sink_write(armor->next, bytes, length, error);
}

static gboolean
armor_finish(BaseSink *sink, GError **error)
{
  Armor *armor = (Armor *)sink;
  return armor_begin(armor, error) &&
         put_text(armor->next, "-----END " PEM_LABEL "-----\n", error) &&
         base_sink_finish(armor->next, error);
}

static void
armor_free(BaseSink *sink)
{
  Armor *armor = (Armor *)sink;
  base_sink_free(armor->next);
  g_free(armor);
}

BaseSink *
cli_output_pem(BaseSink *next)
{
  static const BaseSinkClass klass = { armor_write, armor_finish, armor_free };
  Armor *armor = g_new0(Armor, 1);
  armor->sink.klass = &klass;
  armor->next = next;
  return base_sink_base64_encode(&armor->sink, PEM_LINE, FALSE);
}
