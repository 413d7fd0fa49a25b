#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"

/* Bound on one entry of the list; longer ones are no names of hosts. */
#define ENTRY_MAX 256

struct address {
        int family;
        unsigned char bytes[sizeof(struct in6_addr)];
};

static bool
read_address(const char *text, struct address *out)
{
        out->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
        return inet_pton(out->family, text, out->bytes) == 1;
}

static bool
has_prefix(const struct address *host, const struct address *net, unsigned long bits)
{
        size_t whole = bits / 8;
        unsigned rest = bits % 8;

        if (host->family != net->family || bits > (host->family == AF_INET ? 32 : 128) ||
            memcmp(host->bytes, net->bytes, whole) != 0)
                return false;
        return rest == 0 || (host->bytes[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}

/* "10.0.0.7", "10.0.0.0/8", "fd00::/8" */
static bool
entry_has_address(char *entry, const struct address *host)
{
        struct address net;
        char *slash = strchr(entry, '/');
        unsigned long bits = 128;

        if (slash != NULL) {
                char *end;
                *slash = '\0';
                bits = strtoul(slash + 1, &end, 10);
                if (end == slash + 1 || *end != '\0')
                        return false;
        }
        if (!read_address(entry, &net))
                return false;
        return has_prefix(host, &net, slash == NULL && net.family == AF_INET ? 32 : bits);
}

/* "example.org" and ".example.org" have both example.org and what is below it. */
static bool
entry_has_name(const char *entry, const char *host)
{
        size_t host_len = strlen(host);

        if (*entry == '.')
                entry++;
        size_t len = strlen(entry);
        if (len == 0 || len > host_len || strcasecmp(host + host_len - len, entry) != 0)
                return false;
        return len == host_len || host[host_len - len - 1] == '.';
}

bool
no_proxy_has(const char *list, const char *host)
{
        struct address address;
        bool is_address = read_address(host, &address);
        char name[ENTRY_MAX], entry[ENTRY_MAX];

        size_t name_len = strlen(host);
        if (name_len == 0 || name_len >= sizeof(name))
                return false;
        memcpy(name, host, name_len + 1);
        if (name[name_len - 1] == '.')
                name[name_len - 1] = '\0';
        while (*list != '\0') {
                size_t len = strcspn(list, ", ");
                if (len > 0 && len < sizeof(entry)) {
                        memcpy(entry, list, len);
                        entry[len] = '\0';
                        if (len > 1 && entry[len - 1] == '.')
                                entry[len - 1] = '\0';
                        if (strcmp(entry, "*") == 0 ||
                            (is_address ? entry_has_address(entry, &address)
                                        : entry_has_name(entry, name)))
                                return true;
                }
                list += len;
                list += strspn(list, ", ");
        }
        return false;
}
