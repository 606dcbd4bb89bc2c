/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

#include <string.h>

static CliArgs *
parse(const char *line, const CliVerb **ret_verb, GError **error)
{
  static char *words[64];
  static char *copy;
  g_free(copy);
  copy = g_strdup(line);
  int n = 0;
  words[n++] = (char *)(guintptr) "signet";
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
    words[n++] = word;
  words[n] = NULL;
  return cli_args_parse(n, words, ret_verb, error);
}

static void
refused(const char *line, const char *says)
{
  g_autoptr(GError) error = NULL;
  const CliVerb *verb = NULL;
  g_autoptr(CliArgs) args = parse(line, &verb, &error);
  g_assert_null(args);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  if (!strstr(error->message, says))
    g_error("\"%s\" does not say \"%s\"", error->message, says);
}

static void
test_options_anywhere(void)
{
  static const char *const lines[] = {
    "sign --id a@b -o f m.eml --json",
    "--json -o f --id a@b sign m.eml",
    "sign m.eml --output=f --id=a@b --json",
    "-of --json sign --id a@b m.eml",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
    g_autoptr(GError) error = NULL;
    const CliVerb *verb = NULL;
    g_autoptr(CliArgs) args = parse(lines[i], &verb, &error);
    g_assert_no_error(error);
    g_assert_true(verb == &cli_sign);
    Cli cli = { .args = args, .verb = verb };
    g_assert_cmpstr(cli_text(&cli, "output"), ==, "f");
    g_assert_cmpstr(cli_text(&cli, "id"), ==, "a@b");
    g_assert_true(cli_flag(&cli, "json"));
    g_assert_cmpint(cli_count(&cli), ==, 1);
    g_assert_cmpstr(cli_argument(&cli, 0), ==, "m.eml");
    g_assert_null(cli_argument(&cli, 1));
  }
}

static void
test_words_after_dashes(void)
{
  const CliVerb *verb = NULL;
  g_autoptr(CliArgs) args = parse("id show -- --json", &verb, NULL);
  Cli cli = { .args = args, .verb = verb };
  g_assert_true(verb == &cli_id_show);
  g_assert_false(cli_flag(&cli, "json"));
  g_assert_cmpstr(cli_argument(&cli, 0), ==, "--json");
}

static void
test_lists_and_numbers(void)
{
  const CliVerb *verb = NULL;
  g_autoptr(CliArgs) args = parse("encrypt --to a --to b -t c --pin-fd 9 -", &verb, NULL);
  Cli cli = { .args = args, .verb = verb };
  const char *const *to = cli_list(&cli, "to");
  g_assert_cmpuint(g_strv_length((char **)(guintptr)to), ==, 3);
  g_assert_cmpstr(to[2], ==, "c");
  g_assert_cmpint(cli_number(&cli, "pin-fd", -1), ==, 9);
  g_assert_cmpint(cli_number(&cli, "so-pin-fd", -1), ==, -1);
  g_assert_cmpstr(cli_argument(&cli, 0), ==, "-");
}

static void
test_mistakes(void)
{
  refused("sing", "`signet sign`");
  refused("token lits", "`signet token list`");
  refused("tokn list", "`signet token`");
  refused("zzzzzzzz", "unknown verb");
  refused("sign --opaqe", "--opaque");
  refused("sign --soft", "--soft");
  refused("--soft sign", "--soft");
  refused("sign -o", "needs a value");
  refused("sign -o a -o b", "twice");
  refused("sign --opaque=yes", "takes no value");
  refused("sign --hash md5", "sha256|sha384|sha512");
  refused("sign --id=", "empty");
  refused("--pin-fd -1 sign", "number");
  refused("--pin-fd 99999999999 sign", "number");
  refused("id show", "needs ID");
  refused("status now", "does not take");
  refused("id new --dual a@b", "not in this version");
  refused("backup", "not in this version");
  refused("token release", "not in this version");
}

static void
test_help_needs_no_arguments(void)
{
  const CliVerb *verb = NULL;
  g_autoptr(CliArgs) args = parse("id show --help", &verb, NULL);
  g_assert_nonnull(args);
  g_autoptr(CliArgs) group = parse("token --help", &verb, NULL);
  g_assert_cmpstr(cli_args_group(group), ==, "token");
}

/* The table itself: what help, completion and dispatch rest on. */
static void
test_table(void)
{
  for (int i = 0; cli_verbs[i]; i++) {
    const CliVerb *verb = cli_verbs[i];
    g_assert_nonnull(verb->run);
    g_assert_true(g_str_has_prefix(verb->example, "signet "));
    g_assert_true(strlen(verb->help) > 0 && strlen(verb->help) < 75);
    for (const CliOption *option = verb->options; option && option->name; option++) {
      g_assert_true(option->kind == CLI_LATER || option->help);
      g_assert_true(option->kind == CLI_FLAG || option->kind == CLI_LATER || option->value);
      for (const CliOption *common = cli_common_options; common->name; common++)
        g_assert_cmpstr(option->name, !=, common->name);
      /* Before the verb is known, it must be known whether a value follows. */
      for (int other = 0; cli_verbs[other]; other++)
        for (const CliOption *o = cli_verbs[other]->options; o && o->name; o++)
          if (strcmp(o->name, option->name) == 0)
            g_assert_true((o->kind == CLI_FLAG) == (option->kind == CLI_FLAG));
    }
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/args/options-anywhere", test_options_anywhere);
  g_test_add_func("/cli/args/words-after-dashes-are-words", test_words_after_dashes);
  g_test_add_func("/cli/args/lists-and-numbers", test_lists_and_numbers);
  g_test_add_func("/cli/args/mistakes-are-named", test_mistakes);
  g_test_add_func("/cli/args/help-needs-no-arguments", test_help_needs_no_arguments);
  g_test_add_func("/cli/args/table-is-sound", test_table);
  return g_test_run();
}
