#include "harness/test.h"

#include "moonkeep/crc32c.h"

TEST(knows_the_check_value)
{
        CHECK(crc32c(0, "123456789", 9) == 0xE3069283u);
}

/* RFC 3720, B.4. */
TEST(knows_the_vectors_of_iscsi)
{
        unsigned char data[32];

        memset(data, 0, sizeof(data));
        CHECK(crc32c(0, data, 32) == 0x8A9136AAu);
        memset(data, 0xff, sizeof(data));
        CHECK(crc32c(0, data, 32) == 0x62A8AB43u);
        for (unsigned char idx = 0; idx < 32; idx++)
                data[idx] = idx;
        CHECK(crc32c(0, data, 32) == 0x46DD794Eu);
}

TEST(nothing_changes_nothing)
{
        CHECK(crc32c(0, NULL, 0) == 0);
        CHECK(crc32c(0x12345678u, "", 0) == 0x12345678u);
}

TEST(can_be_computed_in_pieces_at_any_cut_and_alignment)
{
        unsigned char data[301];

        for (size_t idx = 0; idx < sizeof(data); idx++)
                data[idx] = (unsigned char)(idx * 7 + 3);
        for (size_t start = 0; start < 16; start++) {
                uint32_t whole = crc32c(0, data + start, sizeof(data) - start);
                for (size_t cut = start; cut <= sizeof(data); cut++) {
                        uint32_t crc = crc32c(0, data + start, cut - start);
                        CHECK(crc32c(crc, data + cut, sizeof(data) - cut) == whole);
                }
        }
}
