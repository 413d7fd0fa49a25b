#include "harness/test.h"
#include "moonkeep/rand.h"

TEST(bytes_fill_any_length)
{
        struct err err;
        static unsigned char bytes[100000];
        size_t counts[256] = { 0 };

        CHECK_OK(rand_bytes(bytes, 0, &err), err);
        CHECK_OK(rand_bytes(bytes, sizeof(bytes), &err), err);
        for (size_t idx = 0; idx < sizeof(bytes); idx++)
                counts[bytes[idx]]++;
        for (size_t value = 0; value < 256; value++)
                CHECK(counts[value] > 200 && counts[value] < 600);
}

TEST(identifiers_have_their_length_and_alphabet)
{
        struct err err;
        char id[33], other[33];

        CHECK_OK(rand_id(id, 32, &err), err);
        CHECK_OK(rand_id(other, 32, &err), err);
        CHECK_INT(strlen(id), 32);
        CHECK_INT(strspn(id, "abcdefghijkmnpqrstuvwxyz23456789"), 32);
        CHECK(strcmp(id, other) != 0);
        CHECK_OK(rand_id(id, 0, &err), err);
        CHECK_STR(id, "");
}
