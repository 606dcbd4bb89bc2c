/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 26

static const struct {
  const char *group; /* NULL: verbs without a group */
  const char *heading;
} headings[] = {
  { "token", "Tokens: what holds the keys" },
  { "id", "Digital IDs" },
  { NULL, "Messages" },
};

static void
print_heading(const char *text)
{
  g_autofree char *bold = cli_styled(1, CLI_BOLD, text);
  printf("%s\n", bold);
}

static void
print_row(const char *left, const char *help)
{
  int width = cli_width(left);
  if (width >= HELP_COLUMN)
    printf("  %s\n  %*s%s\n", left, HELP_COLUMN, "", help);
  else
    printf("  %s%*s%s\n", left, HELP_COLUMN - width, "", help);
}

static char *
verb_words(const CliVerb *verb)
{
  return g_strjoin(" ", verb->group ? verb->group : verb->name, verb->group ? verb->name : NULL,
                   NULL);
}

static void
print_verbs(const char *group)
{
  for (int i = 0; cli_verbs[i]; i++) {
    if (g_strcmp0(cli_verbs[i]->group, group) != 0)
      continue;
    g_autofree char *words = verb_words(cli_verbs[i]);
    print_row(words, cli_verbs[i]->help);
  }
}

static void
print_options(const CliOption *options)
{
  for (; options && options->name; options++) {
    if (options->kind == CLI_LATER)
      continue;
    char letter[8] = "    ";
    if (options->letter)
      g_snprintf(letter, sizeof letter, "-%c, ", options->letter);
    g_autofree char *left =
        g_strdup_printf("%s--%s%s%s", letter, options->name, options->value ? " " : "",
                        options->value ? options->value : "");
    print_row(left, options->help);
  }
}

void
cli_help_all(void)
{
  printf("Usage: signet [OPTION…] VERB …\n\n"
         "Your digital IDs: the keys stay on a smartcard, a USB key or a soft token, and sign and\n"
         "open your mail from there.\n");
  for (gsize i = 0; i < G_N_ELEMENTS(headings); i++) {
    putchar('\n');
    print_heading(headings[i].heading);
    print_verbs(headings[i].group);
  }
  putchar('\n');
  print_heading("Options of every verb");
  print_options(cli_common_options);
  printf("\nExamples:\n"
         "  signet token init --soft --label me\n"
         "  signet id new alice@example.org --name \"Alice Example\" --self-signed 365\n"
         "  signet sign < mail.eml > signed.eml\n\n"
         "`signet VERB --help` tells more, with an example.\n");
}

void
cli_help_group(const char *group)
{
  printf("Usage: signet %s VERB …\n\n", group);
  print_verbs(group);
  printf("\n`signet %s VERB --help` tells more, with an example.\n", group);
}

void
cli_help_verb(const CliVerb *verb)
{
  g_autofree char *words = verb_words(verb);
  printf("Usage: signet %s%s%s%s\n\n%c%s.\n", words, verb->options ? " [OPTION…]" : "",
         *verb->arguments ? " " : "", verb->arguments, g_ascii_toupper(*verb->help),
         verb->help + 1);
  if (verb->more)
    printf("\n%s\n", verb->more);
  if (verb->options) {
    putchar('\n');
    print_heading("Options");
    print_options(verb->options);
  }
  putchar('\n');
  print_heading("Options of every verb");
  print_options(cli_common_options);
  printf("\nExample:\n  %s\n", verb->example);
}
