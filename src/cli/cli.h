/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `signet`, the command line: one file per verb.
 *
 * A verb is one CliVerb: its words, arguments, options, help, example and
 * handler. The table in verbs.c is all there is: dispatch, --help and
 * completion are made from it. A handler returns FALSE with an error, whose
 * code decides the exit status; it prints its result only when all is done, so
 * that a failure leaves the output empty. */

#include "base/flow.h"

#include <signet/signet.h>

#include <glib.h>
#include <jansson.h>

typedef enum {
  CLI_FLAG,
  CLI_TEXT,
  CLI_MAYBE,  /* as a flag, or with its value behind "=" */
  CLI_LIST,   /* may be given again */
  CLI_NUMBER, /* not negative */
  CLI_CHOICE, /* one of `value`, which is "a|b|c" */
  CLI_LATER   /* named in the contract, not in this version; takes whatever comes */
} CliOptionKind;

typedef struct {
  const char *name; /* without -- */
  char letter;      /* or 0 */
  CliOptionKind kind;
  const char *value; /* what help calls it: "FILE" */
  const char *help;
} CliOption;

typedef struct Cli Cli;
typedef struct CliArgs CliArgs;

typedef struct {
  const char *group; /* (nullable): "token" of `token list` */
  const char *name;
  const char *arguments; /* for help: "ADDRESS…" */
  int min_arguments;
  int max_arguments; /* -1: any number */
  const char *help;  /* one line */
  const char *more;  /* (nullable): further lines */
  const char *example;
  const CliOption *options; /* (nullable): ends with a NULL name */
  gboolean message;         /* standard output is the message, unless -o names a file */
  gboolean (*run)(Cli *cli, GError **error);
} CliVerb;

/* The table: verbs.c. NULL-terminated. */
extern const CliVerb *const cli_verbs[];
extern const CliOption cli_common_options[];
/* Verbs of the contract that later versions bring, so that they are not called unknown. */
extern const char *const cli_later_verbs[];

/* What one run carries. */
struct Cli {
  const CliVerb *verb;
  CliArgs *args;
  gboolean json;
  int json_fd;   /* -1: not given */
  int status_fd; /* -1: none */
  gboolean quiet;
  gboolean no_input;
  gboolean yes;
  int exit_status; /* of a run that did its work: 0, or 3 for a verdict that is not good */
  gboolean printed_json;
  SignetClient *client; /* after cli_connect() */
  gboolean asked;       /* a PIN was taken from --pin-fd or the terminal */
};

/* ---- arguments: args.c ---- */

/* Options before and after the verb; `--` ends them. USAGE with the nearest verb or option. */
CliArgs *cli_args_parse(int argc, char *const *argv, const CliVerb **ret_verb, GError **error);
void cli_args_free(CliArgs *args);
int cli_count(const Cli *cli);
const char *cli_argument(const Cli *cli, int index); /* NULL beyond the last */
gboolean cli_flag(const Cli *cli, const char *option);
const char *cli_text(const Cli *cli, const char *option);        /* NULL when not given */
const char *const *cli_list(const Cli *cli, const char *option); /* never NULL */
gint64 cli_number(const Cli *cli, const char *option, gint64 fallback);
gboolean cli_args_flag(const CliArgs *args, const char *option);
const char *cli_args_text(const CliArgs *args, const char *option);
const char *cli_args_group(
    const CliArgs *args); /* (nullable): a group's word without a verb after it */
/* The word of `words` (NULL-terminated) nearest to `word`; NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *words);

/* ---- help and completion: help.c, complete.c ---- */

void cli_help_all(void);
void cli_help_group(const char *group);
void cli_help_verb(const CliVerb *verb);
/* Candidates for the last of `words`, one a line. */
void cli_complete(int n, char *const *words);

/* ---- the connection: session.c ---- */

/* Connects (starting the daemon), and settles how PINs are asked for. */
gboolean cli_connect(Cli *cli, GError **error);
/* The positional token, else --token; NULL when neither. */
const char *cli_token_name(const Cli *cli);

/* ---- one verb from within another: run.c ---- */

/* Does what `signet WORD…` (NULL-terminated, without `signet`) does, quietly, with this run's
 * connection and descriptors for secrets, and takes yes for every answer: the caller asked. */
gboolean cli_run(Cli *cli, const char *const *words, int *ret_status, GError **error);

/* ---- PINs: pin.c, terminal.c ---- */

typedef struct BaseSecret BaseSecret;

/* `from`: the option naming the descriptor ("pin-fd", "so-pin-fd"); where it is not given, the terminal is asked.
 * `prompt`: "PIN of token \"alice\"". `twice`: a new one, typed again. */
BaseSecret *cli_pin_get(Cli *cli, const char *from, const char *prompt, gboolean twice,
                        GError **error);
/* As above, from the descriptor only: NULL without an error at its end or where it is not given. */
BaseSecret *cli_pin_optional(Cli *cli, const char *from, const char *what, GError **error);
/* A SignetAsk; user_data is the Cli. */
gboolean cli_pin_ask(const char *token, int tries_left, gpointer user_data, char **ret_pin,
                     GError **error);
gboolean cli_terminal_available(const Cli *cli); /* a person is there to answer */
BaseSecret *cli_terminal_secret(const char *prompt, GError **error); /* echo off */
/* A question whose answer is yes or no; FALSE without a terminal. */
gboolean cli_terminal_confirm(const Cli *cli, const char *question);
char *cli_terminal_answer(const char *prompt, GError **error);

/* ---- output: output.c, style.c, table.c ---- */

typedef enum { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_GREEN, CLI_YELLOW } CliStyle;

/* `text` in colour when `stream_fd` (1 or 2) is a terminal and NO_COLOR is unset. */
char *cli_styled(int stream_fd, CliStyle style, const char *text);
char *cli_safe(const char *text); /* control bytes and bad UTF-8 made visible; NULL becomes "" */
const char *cli_next_char(const char *text); /* GLib's macro casts const away */
int cli_columns(int fd);                     /* width of the terminal; 0: not one */
int cli_width(const char *text);             /* columns it takes */
/* Lines longer than `columns` (0: any length) are broken between words; indented ones stay, they are
 * commands to copy, or tables. */
char *cli_wrapped(const char *text, int columns);
char *cli_day(gint64 seconds);    /* 2026-11-23, local; "-" for 0 */
char *cli_moment(gint64 seconds); /* 2026-11-23 18:05 */
char *cli_join(char *const *words, const char *between, const char *none);

/* A line for a person on standard output; nothing with --json or --quiet. */
void cli_say(const Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same, whatever the options: a line beside a table. */
void cli_print_wrapped(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* A remark on standard error: "signet: …"; nothing with --json or --quiet. */
void cli_note(const Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* One event on --status-fd. */
void cli_status(const Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Prints and takes the object when --json was given; takes it in any case. */
gboolean cli_json(Cli *cli, json_t *object, GError **error);
void cli_report_error(Cli *cli, const GError *error);
/* Adds the command to type next, where the error has none (advice.c). */
void cli_advise(const Cli *cli, GError *error);

typedef struct CliTable CliTable;

/* `flexible`: the column that is cut with … where the terminal is too narrow; -1: none. */
CliTable *cli_table_new(const char *const *headings, int flexible);
void cli_table_free(CliTable *table);
/* Ends with NULL; takes nothing. */
void cli_table_row(CliTable *table, CliStyle style, ...) G_GNUC_NULL_TERMINATED;
void cli_table_print(const CliTable *table);

/* ---- files: files.c ---- */

/* To -o FILE (a temporary, renamed) or standard output; `binary` is refused on a terminal. */
gboolean cli_write(Cli *cli, GBytes *bytes, gboolean binary, GError **error);
gboolean cli_write_file(const char *path, GBytes *bytes, GError **error);
gboolean cli_output_is_stdout(const Cli *cli);
const char *cli_input_name(const Cli *cli);

/* The input of a message verb, of any size, to be read as often as wanted: FILE, -i FILE or standard
 * input (a pipe is spooled, encrypted); says so when that is a terminal. */
BaseInput *cli_input_open(Cli *cli, GError **error);

/* The output of a message verb (output-flow.c): to -o FILE, which takes its place at finish(), or
 * to standard output, through a spool: nothing is to be seen there before finish(), and nothing at all
 * if it is freed without. Make it when the options are known to be right, write, and finish() it when
 * all is known to be good. Not `secret`, that is not decrypted: where standard output is a file
 * it is written at once, and cut back if the verb fails.
 * `binary` is refused on a terminal. */
BaseSink *cli_output_new(Cli *cli, gboolean binary, gboolean secret, GError **error);
/* The same, but standard output is written as the bytes come: only where nothing can
 * fail any more but the output itself, as with an input that base_input_is_kept(). */
BaseSink *cli_output_direct(Cli *cli, gboolean binary, GError **error);
/* A stage: DER in, PEM out; owns `next`. */
BaseSink *cli_output_pem(BaseSink *next);

/* ---- long work: spinner.c ---- */

typedef struct CliSpinner CliSpinner;
CliSpinner *cli_spinner_start(const Cli *cli, const char *doing); /* (nullable) */
void cli_spinner_stop(CliSpinner *spinner);
void cli_spinner_pause(void); /* the one that runs, if any: something is to be typed */

/* ---- records as JSON: records.c ---- */

json_t *cli_json_token(const SignetToken *token);
json_t *cli_json_id(const SignetId *id);
json_t *cli_json_certificate(const SignetCertificate *certificate);
json_t *cli_json_module(const SignetModule *module);
json_t *cli_json_text(const char *text); /* JSON null for NULL */
json_t *cli_json_strv(char *const *words);
json_t *cli_json_time(gint64 seconds); /* RFC 3339 in UTC; null for 0 */
const char *cli_token_state(const SignetToken *token);
json_t *cli_json_uses(guint use);
json_t *cli_json_abilities(guint can);
/* The newest certificate of an ID for any of `uses` (0: any use), and its key. */
const SignetCertificate *cli_newest_certificate(const SignetId *id, guint uses,
                                                const SignetKey **ret_key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliArgs, cli_args_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliTable, cli_table_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliSpinner, cli_spinner_stop)
