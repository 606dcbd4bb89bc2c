/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 26
#define WIDTH 79

#define NAMES_MAX 6

static const struct {
  const char *heading;
  const char *group;            /* its verbs; NULL: those named, which have none */
  const char *names[NAMES_MAX]; /* ends with NULL */
} headings[] = {
  { "First steps", NULL, { "start", "import" } },
  { "Messages", NULL, { "sign", "verify", "encrypt", "decrypt", "info" } },
  { "Signed receipts", "receipt", { NULL } },
  { "Digital IDs", "id", { NULL } },
  { "Tokens: what holds the keys", "token", { NULL } },
  { "Trust: whose word counts", "trust", { NULL } },
  { "Every day", NULL, { "status", "sandbox" } },
  { "Settings", "config", { NULL } },
};

static void
print_heading(const char *text)
{
  g_autofree char *bold = cli_styled(1, CLI_BOLD, text);
  printf("%s\n", bold);
}

/* From column `indent` on, where the first line is already; broken between words. */
static void
print_wrapped(const char *text, int indent)
{
  int column = indent;
  g_auto(GStrv) words = g_strsplit(text, " ", -1);
  for (int i = 0; words[i]; i++) {
    int width = cli_width(words[i]);
    gboolean breaks = i > 0 && column + 1 + width > WIDTH;
    if (breaks)
      printf("\n%*s%s", indent, "", words[i]);
    else
      printf("%s%s", i ? " " : "", words[i]);
    column = (breaks ? indent : column + (i > 0)) + width;
  }
  putchar('\n');
}

static void
print_row(const char *left, const char *help)
{
  int width = cli_width(left);
  if (width >= HELP_COLUMN)
    printf("  %s\n  %*s", left, HELP_COLUMN, "");
  else
    printf("  %s%*s", left, HELP_COLUMN - width, "");
  print_wrapped(help, 2 + HELP_COLUMN);
}

static void
print_paragraphs(const char *text)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (int i = 0; lines[i]; i++)
    print_wrapped(lines[i], 0);
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
print_named(const char *const *names)
{
  for (; *names; names++)
    for (int i = 0; cli_verbs[i]; i++)
      if (!cli_verbs[i]->group && strcmp(cli_verbs[i]->name, *names) == 0)
        print_row(*names, cli_verbs[i]->help);
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
        options->kind == CLI_MAYBE
            ? g_strdup_printf("%s--%s[=%s]", letter, options->name, options->value)
            : g_strdup_printf("%s--%s%s%s", letter, options->name, options->value ? " " : "",
                              options->value ? options->value : "");
    print_row(left, options->help);
  }
}

void
cli_help_all(void)
{
  printf("Usage: signet [OPTION…] VERB …\n\n"
         "Your digital IDs: the keys stay on a smartcard, a USB key or a soft token, and\n"
         "sign and open your mail from there.\n");
  for (gsize i = 0; i < G_N_ELEMENTS(headings); i++) {
    putchar('\n');
    print_heading(headings[i].heading);
    if (headings[i].group)
      print_verbs(headings[i].group);
    else
      print_named(headings[i].names);
  }
  putchar('\n');
  print_heading("Options of every verb");
  print_options(cli_common_options);
  printf("\nExamples:\n"
         "  signet start\n"
         "  signet import alice.p12\n"
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
  if (verb->more) {
    putchar('\n');
    print_paragraphs(verb->more);
  }
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
