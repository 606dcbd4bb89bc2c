/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What happened to the catalogue reaches watchers and, a little later, the disk. */

#include "daemon/broker.h"

/* After whatever was fed to the catalogue. */
void daemon_catalogue_changed(Daemon *daemon);
void daemon_catalogue_save_now(Daemon *daemon);
