/* What a URL of Azure says. */
#include "../../src/store/azure.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/test.h"

static void
only_key(void)
{
        clearenv();
        CHECK(setenv("AZURE_STORAGE_KEY", "c2VjcmV0c2VjcmV0", 1) == 0);
}

static struct store *
opened(const char *text)
{
        struct url url;
        struct err err;

        err_init(&err);
        CHECK_OK(url_parse(text, &url, &err), err);
        struct store *store = azure_open(&url, &err);
        CHECK_PTR(store, err);
        url_clear(&url);
        return store;
}

TEST(a_store_is_an_account_a_container_and_a_prefix)
{
        only_key();
        struct store *store = opened("azure://Account/backups/a%20b/");
        struct azure_store *it = (struct azure_store *)store;

        CHECK_STR(it->account, "account");
        CHECK_STR(it->container, "backups");
        CHECK_STR(it->object.prefix, "a b/");
        CHECK_STR(it->endpoint, "https://account.blob.core.windows.net");
        CHECK_STR(store_url(store), "azure://account/backups/a%20b");
        CHECK_STR(store_place(store), "azure://account/backups/a%20b");
        CHECK_INT(store_capabilities(store), STORE_EXCLUSIVE);
        struct store *again = opened(store_url(store));
        CHECK_STR(store_url(again), store_url(store));
        store_free(again);
        store_free(store);
}

TEST(options_are_kept_in_the_url_and_what_says_where_in_the_place)
{
        only_key();
        struct store *store =
            opened("azure://account/c-1?tags=a=b%20c,d=&stall=5&tier=cool&connections=2&attempts=3&"
                   "endpoint=HTTPS://Host:8443/account/&ca_file=/ca.pem");
        struct azure_store *it = (struct azure_store *)store;

        CHECK_STR(store_url(store),
            "azure://account/c-1?endpoint=https://host:8443/account&ca_file=/ca.pem&tier=cool&"
            "tags=a=b%20c,d=&connections=2&attempts=3&stall=5");
        CHECK_STR(store_place(store), "azure://account/c-1?endpoint=https://host:8443/account");
        CHECK_STR(it->tier, "Cool");
        CHECK_STR(it->tags, "a=b%20c&d=");
        CHECK_STR(it->object.ca_file, "/ca.pem");
        CHECK_INT(it->object.connections, 2);
        CHECK_INT(it->object.patience.attempts, 3);
        CHECK_INT(it->object.patience.stall_ms, 5000);
        store_free(store);
}

TEST(the_endpoint_may_come_from_the_environment)
{
        only_key();
        CHECK(setenv("AZURE_STORAGE_SERVICE_ENDPOINT", "https://private.example.com/", 1) == 0);
        struct store *store = opened("azure://account/backups");
        CHECK_STR(store_url(store), "azure://account/backups?endpoint=https://private.example.com");
        store_free(store);

        CHECK(setenv("AZURE_STORAGE_CONNECTION_STRING",
                  "AccountName=account;AccountKey=c2VjcmV0;EndpointSuffix=core.chinacloudapi.cn",
                  1) == 0);
        store = opened("azure://account/backups");
        CHECK_STR(store_place(store),
            "azure://account/backups?endpoint=https://account.blob.core.chinacloudapi.cn");
        store_free(store);

        /* What the URL says comes first; the usual one is not said. */
        store = opened("azure://account/backups?endpoint=https://account.blob.core.windows.net/");
        CHECK_STR(store_url(store), "azure://account/backups");
        store_free(store);
}

TEST(what_names_no_store_is_explained)
{
        static const struct {
                const char *url, *why;
        } bad[] = {
                { "azure:///container", "names no account" },
                { "azure://a/container", "\"a\" is no name of an account" },
                { "azure://account.blob.core.windows.net/container", "is no name of an account" },
                { "azure://account", "names no container" },
                { "azure://account/", "names no container" },
                { "azure://account/Container", "\"Container\" is no name of a container" },
                { "azure://account/ab", "is no name of a container" },
                { "azure://account/-abc", "is no name of a container" },
                { "azure://me@account/container", "no user and no port" },
                { "azure://account:443/container", "no user and no port" },
                { "azure://account/container/a//b", "has an empty part" },
                { "azure://account/container/a/../b", "has a part that ends" },
                { "azure://account/container/a./b", "has a part that ends" },
                { "azure://account/container/a%5Cb", "has a \"\\\"" },
                { "azure://account/container/a%0Ab", "control character" },
                { "azure://account/container?sv=1&sig=hunter2", "has a SAS in it" },
                { "azure://account/container?region=x", "unknown option \"region\"" },
                { "azure://account/container?tier=lukewarm", "none of hot, cool, cold, archive" },
                { "azure://account/container?tags=a", "is not NAME=VALUE" },
                { "azure://account/container?tags=%3C=a", "is not NAME=VALUE" },
                { "azure://account/container?tags==a", "is not NAME=VALUE" },
                { "azure://account/container?tags=a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=",
                    "more than 10" },
                { "azure://account/container?connections=0", "no number from 1 to 32" },
                { "azure://account/container?endpoint=ftp://host", "an endpoint is http" },
                { "azure://account/container?endpoint=https://u:hunter2@host",
                    "no user, password" },
                { "azure://account/container?endpoint=nothing", "not a URL" },
        };

        only_key();
        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                struct url url;
                struct err err;
                err_init(&err);
                CHECK_OK(url_parse(bad[idx].url, &url, &err), err);
                CHECK_ERR(azure_open(&url, &err) == NULL, err, ERR_USAGE, bad[idx].why);
                CHECK(strstr(err.msg, "cannot open a store") == err.msg);
                CHECK(strstr(err.msg, "hunter2") == NULL && strstr(err.hint, "hunter2") == NULL);
                url_clear(&url);
        }
        char long_prefix[1300] = "azure://account/container/";
        memset(long_prefix + strlen(long_prefix), 'a', 1200);
        struct url url;
        struct err err;
        err_init(&err);
        CHECK_OK(url_parse(long_prefix, &url, &err), err);
        CHECK_ERR(azure_open(&url, &err) == NULL, err, ERR_USAGE, "too long");
        url_clear(&url);
}

static int
open_it(void *arg, struct err *err)
{
        struct url url;

        if (url_parse(arg, &url, err) < 0)
                return -1;
        struct store *store = azure_open(&url, err);
        url_clear(&url);
        store_free(store);
        return store != NULL ? 0 : -1;
}

TEST(survives_the_failure_of_each_allocation)
{
        static char url[] =
            "azure://account/container/a/b?endpoint=https://host&tier=hot&tags=a=b&ca_file=/x";

        only_key();
        test_each_allocation(open_it, url);
}
