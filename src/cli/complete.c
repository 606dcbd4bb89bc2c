/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void
offer(const char *word, const char *start)
{
  if (g_str_has_prefix(word, start))
    puts(word);
}

static void
offer_options(const CliOption *options, const char *start)
{
  for (; options && options->name; options++) {
    if (options->kind == CLI_LATER)
      continue;
    g_autofree char *full = g_strconcat("--", options->name, NULL);
    offer(full, start);
  }
}

static void
offer_verbs(const char *group, const char *start)
{
  const char *last = NULL;
  for (int i = 0; cli_verbs[i]; i++) {
    const char *word = group || !cli_verbs[i]->group ? cli_verbs[i]->name : cli_verbs[i]->group;
    if ((group && g_strcmp0(cli_verbs[i]->group, group) != 0) || g_strcmp0(word, last) == 0)
      continue;
    offer(word, start);
    last = word;
  }
}

static const CliOption *
option_named(const CliVerb *verb, const char *word)
{
  const CliOption *lists[] = { cli_common_options, verb ? verb->options : NULL };
  for (gsize i = 0; i < G_N_ELEMENTS(lists); i++)
    for (const CliOption *o = lists[i]; o && o->name; o++)
      if (g_str_has_prefix(word, "--") && strcmp(o->name, word + 2) == 0)
        return o;
  return NULL;
}

static void
offer_values(const CliOption *option, const char *start)
{
  if (option->kind != CLI_CHOICE)
    return;
  g_auto(GStrv) words = g_strsplit(option->value, "|", -1);
  for (int i = 0; words[i]; i++)
    offer(words[i], start);
}

void
cli_complete(int n, char *const *words)
{
  const char *start = n > 0 ? words[n - 1] : "";
  const char *group = NULL;
  const CliVerb *verb = NULL;
  for (int i = 0; i < n - 1 && !verb; i++) {
    for (int v = 0; cli_verbs[v]; v++) {
      if (g_strcmp0(cli_verbs[v]->group, group) == 0 && strcmp(cli_verbs[v]->name, words[i]) == 0)
        verb = cli_verbs[v];
      else if (!group && g_strcmp0(cli_verbs[v]->group, words[i]) == 0)
        group = words[i];
    }
  }
  const CliOption *before = n > 1 ? option_named(verb, words[n - 2]) : NULL;
  if (before && before->kind != CLI_FLAG && before->kind != CLI_MAYBE) {
    offer_values(before, start);
  } else if (g_str_has_prefix(start, "-")) {
    offer_options(verb ? verb->options : NULL, start);
    offer_options(cli_common_options, start);
  } else if (!verb) {
    offer_verbs(group, start);
  }
}
