/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cli.h"

#include <string.h>

#define ARGUMENTS_MAX 1000

typedef struct {
  const CliOption *option;
  const char *value; /* "" for a flag */
} Given;

struct CliArgs {
  const CliVerb *verb;
  const char *group;
  GArray *given;         /* (element-type Given) */
  GPtrArray *positional; /* (element-type char), borrowed from argv */
  GPtrArray *owned;
};

/* ---- nearest word ---- */

static gsize
distance(const char *a, const char *b)
{
  gsize n = strlen(b);
  g_autofree gsize *row = g_new(gsize, n + 1);
  for (gsize j = 0; j <= n; j++)
    row[j] = j;
  for (gsize i = 1; a[i - 1]; i++) {
    gsize corner = row[0];
    row[0] = i;
    for (gsize j = 1; j <= n; j++) {
      gsize change = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
    }
  }
  return row[n];
}

const char *
cli_nearest(const char *word, const char *const *words)
{
  const char *best = NULL;
  gsize best_distance = strlen(word) > 64 ? 0 : strlen(word) / 3 + 2;
  for (; *words; words++) {
    gsize d = g_str_has_prefix(*words, word) && *word ? 1 : distance(word, *words);
    if (d < best_distance) {
      best = *words;
      best_distance = d;
    }
  }
  return best;
}

/* ---- verbs ---- */

static gboolean
is_group(const char *word)
{
  for (int i = 0; cli_verbs[i]; i++)
    if (cli_verbs[i]->group && strcmp(cli_verbs[i]->group, word) == 0)
      return TRUE;
  return FALSE;
}

static const CliVerb *
find_verb(const char *group, const char *name)
{
  for (int i = 0; cli_verbs[i]; i++)
    if (g_strcmp0(cli_verbs[i]->group, group) == 0 && strcmp(cli_verbs[i]->name, name) == 0)
      return cli_verbs[i];
  return NULL;
}

static gboolean
unknown_verb(const char *group, const char *word, GError **error)
{
  g_autofree char *full = g_strdup_printf("%s%s%s", group ? group : "", group ? " " : "", word);
  g_autofree char *shown = cli_safe(full);
  if (g_strv_contains(cli_later_verbs, full))
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet %s` is not in this version", shown);

  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (int i = 0; cli_verbs[i]; i++) {
    if (g_strcmp0(cli_verbs[i]->group, group) == 0)
      g_ptr_array_add(names, (gpointer)(guintptr)cli_verbs[i]->name);
    else if (!group &&
             !g_ptr_array_find_with_equal_func(names, cli_verbs[i]->group, g_str_equal, NULL))
      g_ptr_array_add(names, (gpointer)(guintptr)cli_verbs[i]->group);
  }
  g_ptr_array_add(names, NULL);
  const char *near = cli_nearest(word, (const char *const *)names->pdata);
  base_error_set(error, SIGNET_ERROR_USAGE, "unknown verb \"%s\"%s%s%s%s%s", shown,
                 near ? "; did you mean `signet " : "", near && group ? group : "",
                 near && group ? " " : "", near ? near : "", near ? "`?" : "");
  if (group)
    base_error_suggest(error, "signet", group, "--help", NULL);
  else
    base_error_suggest(error, "signet", "--help", NULL);
  return FALSE;
}

/* A positional word: the verb's own words first. */
static gboolean
take_word(CliArgs *args, const char *word, GError **error)
{
  if (args->verb) {
    if (args->positional->len >= ARGUMENTS_MAX)
      return base_error_set(error, SIGNET_ERROR_USAGE, "more than %d arguments", ARGUMENTS_MAX);
    g_ptr_array_add(args->positional, (gpointer)(guintptr)word);
    return TRUE;
  }
  if (!args->group && is_group(word)) {
    args->group = word;
    return TRUE;
  }
  args->verb = find_verb(args->group, word);
  return args->verb != NULL || unknown_verb(args->group, word, error);
}

/* ---- options ---- */

static const CliOption *
find_in(const CliOption *options, const char *name, gsize length, char letter)
{
  for (; options && options->name; options++)
    if (letter ? options->letter == letter
               : strncmp(options->name, name, length) == 0 && options->name[length] == '\0')
      return options;
  return NULL;
}

/* A verb's options may stand before it, so all verbs' are known until one is named. */
static const CliOption *
find_option(const CliArgs *args, const char *name, gsize length, char letter)
{
  const CliOption *found = find_in(cli_common_options, name, length, letter);
  if (!found && args->verb)
    return find_in(args->verb->options, name, length, letter);
  for (int i = 0; !found && cli_verbs[i]; i++)
    found = find_in(cli_verbs[i]->options, name, length, letter);
  return found;
}

static gboolean
unknown_option(const CliArgs *args, const char *option, GError **error)
{
  g_autofree char *shown = cli_safe(option);
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (const CliOption *o = cli_common_options; o->name; o++)
    g_ptr_array_add(names, (gpointer)(guintptr)o->name);
  for (const CliOption *o = args->verb ? args->verb->options : NULL; o && o->name; o++)
    g_ptr_array_add(names, (gpointer)(guintptr)o->name);
  g_ptr_array_add(names, NULL);
  const char *near = g_str_has_prefix(option, "--")
                         ? cli_nearest(option + 2, (const char *const *)names->pdata)
                         : NULL;
  base_error_set(error, SIGNET_ERROR_USAGE, "unknown option %s%s%s%s", shown,
                 near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
  if (args->verb && args->verb->group)
    base_error_suggest(error, "signet", args->verb->group, args->verb->name, "--help", NULL);
  else if (args->verb)
    base_error_suggest(error, "signet", args->verb->name, "--help", NULL);
  return FALSE;
}

static gboolean
check_value(const CliOption *option, const char *value, GError **error)
{
  g_autofree char *shown = cli_safe(value);
  if (option->kind == CLI_NUMBER) {
    guint64 number;
    if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32, &number, NULL))
      return base_error_set(error, SIGNET_ERROR_USAGE, "--%s takes a number, not \"%s\"",
                            option->name, shown);
  } else if (option->kind == CLI_CHOICE) {
    g_auto(GStrv) words = g_strsplit(option->value, "|", -1);
    if (!g_strv_contains((const char *const *)words, value))
      return base_error_set(error, SIGNET_ERROR_USAGE, "--%s takes %s, not \"%s\"", option->name,
                            option->value, shown);
  } else if (*value == '\0') {
    return base_error_set(error, SIGNET_ERROR_USAGE, "--%s is empty", option->name);
  }
  return TRUE;
}

/* `value`: attached with = or to the letter; NULL: the next word, which `*at` then skips. */
static gboolean
take_option(CliArgs *args, const CliOption *option, const char *value, int argc, char *const *argv,
            int *at, GError **error)
{
  if (option->kind == CLI_LATER)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--%s is not in this version", option->name);
  if (option->kind == CLI_FLAG || (option->kind == CLI_MAYBE && !value)) {
    if (value)
      return base_error_set(error, SIGNET_ERROR_USAGE, "--%s takes no value", option->name);
    value = "";
  } else {
    if (!value && *at + 1 >= argc)
      return base_error_set(error, SIGNET_ERROR_USAGE, "--%s needs a value: %s", option->name,
                            option->value);
    if (!value)
      value = argv[++*at];
    if (!check_value(option, value, error))
      return FALSE;
  }
  if (option->kind != CLI_LIST && option->kind != CLI_FLAG && cli_args_text(args, option->name))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--%s is given twice", option->name);
  Given given = { option, value };
  g_array_append_val(args->given, given);
  return TRUE;
}

static gboolean
take_long(CliArgs *args, int argc, char *const *argv, int *at, GError **error)
{
  const char *name = argv[*at] + 2;
  gsize length = strcspn(name, "=");
  const CliOption *option = find_option(args, name, length, 0);
  if (!option) {
    g_autofree char *alone = g_strndup(argv[*at], length + 2);
    return unknown_option(args, alone, error);
  }
  return take_option(args, option, name[length] ? name + length + 1 : NULL, argc, argv, at, error);
}

static gboolean
take_short(CliArgs *args, int argc, char *const *argv, int *at, GError **error)
{
  const char *letters = argv[*at] + 1;
  for (; *letters; letters++) {
    const CliOption *option = find_option(args, "", 0, *letters);
    if (!option) {
      char alone[] = { '-', *letters, '\0' };
      return unknown_option(args, alone, error);
    }
    if (option->kind != CLI_FLAG)
      return take_option(args, option, letters[1] ? letters + 1 : NULL, argc, argv, at, error);
    if (!take_option(args, option, NULL, argc, argv, at, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- all of it ---- */

static gboolean
check_verb_takes(const CliArgs *args, GError **error)
{
  for (guint i = 0; i < args->given->len; i++) {
    const CliOption *option = g_array_index(args->given, Given, i).option;
    if (!find_option(args, option->name, strlen(option->name), 0)) {
      g_autofree char *full = g_strconcat("--", option->name, NULL);
      return unknown_option(args, full, error);
    }
  }
  return TRUE;
}

static gboolean
check_count(const CliArgs *args, GError **error)
{
  const CliVerb *verb = args->verb;
  const char *gap = verb->group ? " " : "";
  const char *group = verb->group ? verb->group : "";
  int count = (int)args->positional->len;
  if (count >= verb->min_arguments && (verb->max_arguments < 0 || count <= verb->max_arguments))
    return TRUE;
  if (count < verb->min_arguments) {
    base_error_set(error, SIGNET_ERROR_USAGE, "`signet %s%s%s` needs %s", group, gap, verb->name,
                   verb->arguments);
  } else {
    g_autofree char *extra =
        cli_safe(g_ptr_array_index(args->positional, (guint)verb->max_arguments));
    base_error_set(error, SIGNET_ERROR_USAGE, "`signet %s%s%s` does not take \"%s\"", group, gap,
                   verb->name, extra);
  }
  if (verb->group)
    base_error_suggest(error, "signet", verb->group, verb->name, "--help", NULL);
  else
    base_error_suggest(error, "signet", verb->name, "--help", NULL);
  return FALSE;
}

static gboolean
parse_words(CliArgs *args, int argc, char *const *argv, GError **error)
{
  gboolean only_words = FALSE;
  for (int at = 1; at < argc; at++) {
    const char *word = argv[at];
    gboolean fine;
    if (only_words || word[0] != '-' || word[1] == '\0')
      fine = take_word(args, word, error);
    else if (strcmp(word, "--") == 0)
      fine = only_words = TRUE;
    else if (word[1] == '-')
      fine = take_long(args, argc, argv, &at, error);
    else
      fine = take_short(args, argc, argv, &at, error);
    if (!fine)
      return FALSE;
  }
  return TRUE;
}

CliArgs *
cli_args_parse(int argc, char *const *argv, const CliVerb **ret_verb, GError **error)
{
  g_autoptr(CliArgs) args = g_new0(CliArgs, 1);
  args->given = g_array_new(FALSE, FALSE, sizeof(Given));
  args->positional = g_ptr_array_new();
  args->owned = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  if (!parse_words(args, argc, argv, error))
    return NULL;
  gboolean only_help = cli_args_flag(args, "help") || cli_args_flag(args, "version");
  if (args->verb && (!check_verb_takes(args, error) || (!only_help && !check_count(args, error))))
    return NULL;
  *ret_verb = args->verb;
  return g_steal_pointer(&args);
}

void
cli_args_free(CliArgs *args)
{
  if (!args)
    return;
  g_array_unref(args->given);
  g_ptr_array_unref(args->positional);
  g_ptr_array_unref(args->owned);
  g_free(args);
}

/* ---- asking ---- */

const char *
cli_args_text(const CliArgs *args, const char *option)
{
  for (guint i = 0; i < args->given->len; i++) {
    const Given *given = &g_array_index(args->given, Given, i);
    if (strcmp(given->option->name, option) == 0)
      return given->value;
  }
  return NULL;
}

gboolean
cli_args_flag(const CliArgs *args, const char *option)
{
  return cli_args_text(args, option) != NULL;
}

const char *
cli_args_group(const CliArgs *args)
{
  return args->verb ? NULL : args->group;
}

int
cli_count(const Cli *cli)
{
  return (int)cli->args->positional->len;
}

const char *
cli_argument(const Cli *cli, int index)
{
  return index < cli_count(cli) ? g_ptr_array_index(cli->args->positional, (guint)index) : NULL;
}

gboolean
cli_flag(const Cli *cli, const char *option)
{
  return cli_args_flag(cli->args, option);
}

const char *
cli_text(const Cli *cli, const char *option)
{
  return cli_args_text(cli->args, option);
}

const char *const *
cli_list(const Cli *cli, const char *option)
{
  GPtrArray *values = g_ptr_array_new();
  for (guint i = 0; i < cli->args->given->len; i++) {
    const Given *given = &g_array_index(cli->args->given, Given, i);
    if (strcmp(given->option->name, option) == 0)
      g_ptr_array_add(values, (gpointer)(guintptr)given->value);
  }
  g_ptr_array_add(values, NULL);
  g_ptr_array_add(cli->args->owned, values);
  return (const char *const *)values->pdata;
}

gint64
cli_number(const Cli *cli, const char *option, gint64 fallback)
{
  const char *text = cli_text(cli, option);
  return text ? g_ascii_strtoll(text, NULL, 10) : fallback;
}
