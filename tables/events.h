/* Events of the log: one row each.
 * ROW(NAME, name, level, per_second, text) - at most per_second of a kind are written in a second;
 * the next one then says how many were swallowed. level: ERROR, WARNING, INFO, DEBUG. */
#ifndef ROW
#error "define ROW before including tables/events.h"
#endif
ROW(STARTED, started, INFO, 10, "The server answers at address.")
ROW(STOPPING, stopping, INFO, 10, "A signal asked it to stop; open calls may finish.")
ROW(CALLED_OFF, called_off, WARNING, 10, "stop_timeout ran out; the calls still open were ended.")
ROW(STOPPED, stopped, INFO, 10, "Everything is on disk and closed.")
ROW(CERTIFICATE, certificate, INFO, 10, "The certificate's files were read again; new connections are shown what is in them.")
ROW(CERTIFICATE_REFUSED, certificate_refused, ERROR, 10, "The certificate's files are wrong; the pair of before goes on.")
ROW(RECOVERED, recovered, INFO, 10, "The journal was read; entries and milliseconds it took.")
ROW(EXAMPLE_MADE, example_made, INFO, 10, "A first start: the example organization was created.")
ROW(NO_PROVIDER, no_provider, WARNING, 10, "No provider is configured: the gateway can answer nothing.")
ROW(CREDENTIAL, credential, INFO, 20, "A provider's credential was sealed or removed, or all were sealed again under another key; in_use 0: it could not be handed to the gateway.")
ROW(PRICE_ODD, price_odd, WARNING, 100, "A configured price is 100 times the built-in one, or a hundredth: per 1K and per 1M confused?")
ROW(BLOCK_UNUSED, block_unused, WARNING, 20, "A block of the configuration is known and does nothing yet: what it says does not hold.")
ROW(CALL, call, INFO, 200, "A gateway call is over: OpenTelemetry's GenAI attributes, and mete.* for what they do not name.")
ROW(REQUEST, request, DEBUG, 1000, "An HTTP exchange is over.")
ROW(THRESHOLD, threshold, WARNING, 50, "A budget's committed amount reached a threshold, in parts per million of its limit.")
ROW(OVERRUN, overrun, WARNING, 50, "More was charged than reserved, or a budget passed its limit.")
ROW(EXPIRED, expired, INFO, 20, "A reservation ended because nobody ended it.")
ROW(CORRECTED, corrected, INFO, 20, "A call that had ended provisionally, or expired, got its true figures.")
ROW(LIMIT_BELOW, limit_below, WARNING, 20, "A limit was set below what is already used.")
ROW(SOFT_LIMIT, soft_limit, WARNING, 20, "A budget's committed amount reached its soft limit.")
ROW(THROTTLED, throttled, WARNING, 20, "A budget's throttle began: a share of its calls is admitted.")
ROW(EMERGENCY_STOP, emergency_stop, ERROR, 20, "A budget's emergency stop began: its calls are refused until its window ends or it is lifted.")
ROW(LIFTED, lifted, INFO, 20, "An operator lifted an emergency stop.")
ROW(DRIFT, drift, ERROR, 1, "Counters differ from what their reservations add up to. Stop, keep the journal, run mete verify.")
#undef ROW
