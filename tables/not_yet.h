/* What include/mete.h promises and this version does not do, one row each. mete_not_yet() lists
 * the texts; ledger/not_yet.c turns the conditions into METE_E_NOT_YET.
 * ROW(condition, text) - condition over `change`, a well-formed const struct mete_change *, with
 * `budget` its budget spec; false where the promise is not about a change. */
#ifndef ROW
#error "define ROW before including tables/not_yet.h"
#endif
#undef ROW
