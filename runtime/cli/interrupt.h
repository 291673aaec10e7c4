/* Ctrl-C, SIGTERM and a terminal that hangs up: the first one asks for an orderly end, so that
 * groups, swap files and workers are removed and finished results printed; a second Ctrl-C or
 * SIGTERM kills. */
#ifndef SLUICE_CLI_INTERRUPT_H
#define SLUICE_CLI_INTERRUPT_H

#include <stdbool.h>

#include "runtime/sluice.h"

void interrupt_install(void);
/* SIGHUP makes the session read its memory limit again instead, for processes that no terminal can
 * hang up: workers, and commands without a terminal. After the others. */
void interrupt_install_hangup(void);
/* For many cells: the first one only asks (interrupt_asked), which is said on stderr; the second
 * one is what the first one of interrupt_install is. */
void interrupt_install_patient(void);
bool interrupt_asked(void);
bool interrupt_came(void);
/* Set by the handler; for struct sl_cell. */
const volatile int *interrupt_flag(void);
/* The session that the handlers tell, and that is told at once when one was there before; NULL:
 * none. */
void interrupt_session(struct sl_session *session);

#endif
