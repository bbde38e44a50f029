/* Errors: one row each. Code, HTTP status, metric and document come from here.
 * ROW(NAME, name, http_status, retryable, text) - NAME has METE_E_NAME in include/mete.h. */
#ifndef ROW
#error "define ROW before including tables/errors.h"
#endif
ROW(INVALID, invalid, 400, 0, "An argument is out of its range.")
ROW(NOT_FOUND, not_found, 404, 0, "There is no such thing here.")
ROW(EXISTS, exists, 409, 0, "The id is taken.")
ROW(CONTENT, content_differs, 422, 0, "This request id was used with other content.")
ROW(IN_FLIGHT, in_flight, 409, 1, "This request id is still being answered.")
ROW(ENDED, ended, 409, 0, "It has already ended otherwise.")
ROW(FULL, full, 503, 1, "A limit of this installation is reached.")
ROW(TOO_LARGE, too_large, 413, 0, "It is larger than its limit.")
ROW(NOT_YET, not_yet, 501, 0, "Planned, and not built yet.")
ROW(MEMORY, memory, 503, 1, "There is not enough memory.")
ROW(STORAGE, storage, 503, 1, "The data directory cannot be read or written.")
ROW(CORRUPT, corrupt, 500, 0, "What was read is damaged.")
ROW(LOCKED, locked, 503, 1, "Another process has the data directory open.")
ROW(FORMAT, format, 500, 0, "The data was written by a newer version.")
ROW(CLOCK, clock, 503, 0, "The clock stands before the last entry of the journal.")
ROW(CLOSED, closed, 503, 1, "The server is stopping.")
ROW(UNAUTHENTICATED, unauthenticated, 401, 0, "A valid key or token is needed.")
ROW(FORBIDDEN, forbidden, 403, 0, "The key may not do this.")
ROW(BUSY, busy, 503, 1, "Too much is waiting; try again.")
ROW(UPSTREAM, upstream, 502, 1, "The provider could not be reached or broke off.")
ROW(TIMEOUT, timeout, 504, 1, "A time limit ran out.")
ROW(UNPRICED, unpriced, 400, 0, "The model has no price here, so it cannot be budgeted.")
ROW(SYNTAX, syntax, 400, 0, "The bytes are not of the format they should have.")
ROW(METHOD, method, 405, 0, "The path exists, the method does not.")
ROW(CHANGED, changed, 412, 0, "It has been changed since it was read.")
ROW(DISK, disk, 507, 1, "The disk is nearly full: what is under way can be ended, nothing new can begin.")
ROW(LIMITED, limited, 429, 1, "Too many tries; wait before the next.")
#undef ROW
