/*
 * When to try again.
 */
#include <errno.h>
#include <stdlib.h>

#include "moonkeep/http.h"
#include "moonkeep/time.h"

int64_t
http_retry_after_ms(const struct http_answer *answer)
{
        const char *text = http_answer_header(answer, "retry-after");
        int64_t then, now;
        char *end;

        if (text == NULL)
                return 0;
        errno = 0;
        long seconds = strtol(text, &end, 10);
        if (end != text && *end == '\0')
                return errno == 0 && seconds > 0 && seconds < 86400 ? seconds * 1000 : 0;
        if (time_http_parse(text, &then, NULL) < 0)
                return 0;
        /* By the server's clock, when it says what that is. */
        const char *date = http_answer_header(answer, "date");
        if (date == NULL || time_http_parse(date, &now, NULL) < 0)
                now = time_now_ms();
        return then > now ? then - now : 0;
}
