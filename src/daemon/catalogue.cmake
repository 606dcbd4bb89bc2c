# SPDX-License-Identifier: LGPL-2.1-or-later
# The catalogue alone: a model without main loop, so that tests drive it by themselves.
add_library(signet_catalogue STATIC
  ${CMAKE_CURRENT_LIST_DIR}/catalogue.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-cert.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-choose.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-device.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-file.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-find.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-group.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-json.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-locate.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-object.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-person.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-save.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-text.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-uri.c
  ${CMAKE_CURRENT_LIST_DIR}/catalogue-view.c
  ${CMAKE_CURRENT_LIST_DIR}/list.c)
target_link_libraries(signet_catalogue PUBLIC signet_wire)

# The handlers of org.signet.Id, for the broker's own list.
set(SIGNET_DAEMON_IDS ids.c idgenerate.c idremove.c idstore.c)
