/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a run prints and writes: one plain table per subject, and the same figures as JSON. */

#include <glib.h>
#include <jansson.h>

typedef struct BenchTable BenchTable;

BenchTable *bench_table_new(const char *title);
void bench_table_free(BenchTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BenchTable, bench_table_free)

/* The first row is the heading. Cells are copied; NULL-terminated. */
void bench_table_row(BenchTable *table, const char *const *cells);
void bench_table_rowv(BenchTable *table, const char *cell, ...) G_GNUC_NULL_TERMINATED;
/* A line under the table. */
void bench_table_note(BenchTable *table, const char *format, ...) G_GNUC_PRINTF(2, 3);
void bench_table_print(const BenchTable *table);

/* Where on standard error the run is, on a terminal only. */
void bench_progress(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The machine and the versions that the figures belong to. */
json_t *bench_report_machine(void);
/* Says so, when others are at work on it. */
void bench_report_load(void);
